"""What a channel is: it knows its addresses, finishes rendered texts, and counts what is billed."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from core.values import value
from core.vocabulary import Channel
from delivery.catalog import MessageType
from delivery.messages import RenderedMessage


@value(frozen=True, slots=True, kw_only=True)
class Address:
    """An address in its one normal form, with what can be known from the address alone.

    `normal` is E.164 or the lower-case ASCII mail address; `country` ISO 3166 alpha-2; `region` the US state of the
    area code; `zones` the IANA zones that the number's prefix may lie in; `domain` the mail domain. Empty when unknown.
    """

    normal: str
    country: str = ""
    region: str = ""
    zones: tuple[str, ...] = ()
    domain: str = ""


@value(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the templates gave, part by part, before the channel finishes it."""

    parts: Mapping[str, str]
    template: str
    links: Mapping[str, str] = field(default_factory=dict)
    postal_address: str = ""
    language: str = "en"
    files: Sequence[Any] = ()
    """The payload's `attachments` as they were given; only channels that carry files look at them."""
    first_of_programme: bool = False


class ChannelKind(Protocol):
    """One channel; adding one is a file like `sms.py`, an enum member and a line in the registry."""

    channel: Channel
    parts: tuple[str, ...]
    """The files of a template folder that this channel is made of, without their `.j2`."""

    def address(self, raw: str, *, reserved: bool = False) -> Address:
        """The normal form of `raw`; InvalidAddress with the mend. `reserved` lets test-only domains in."""
        ...

    def finish(self, draft: Draft, message_type: MessageType) -> RenderedMessage:
        """The message as it leaves: cleaned, with footer, headers and units; InvalidRequest if it can't be sent."""
        ...

    def units(self, body: str) -> int:
        """What the provider bills for `body`: SMS segments, or 1 per mail."""
        ...
