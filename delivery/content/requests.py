"""What a message is made of: whom it speaks to, and everything else that goes into it."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from core.values import value
from core.vocabulary import Channel
from delivery.catalog import MessageType
from delivery.content.stored_templates import StoredTemplate


@value(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom the message speaks to; `locale` such as en_US, `time_zone` an IANA name."""

    name: str = ""
    locale: str = "en_US"
    time_zone: str | None = None


@value(frozen=True, slots=True, kw_only=True)
class RenderRequest:
    """Everything that a message is made of: equal requests render to equal bytes.

    `links` may hold unsubscribe_url and preferences_url; `first_of_programme` adds the opt-out footer to the first text
    of any programme; `version` pins the template's version (the newest when None); `stored` is a template row that
    takes the place of the folder's.
    """

    message_type: MessageType
    channel: Channel
    payload: Mapping[str, Any]
    person: Person
    now: datetime
    links: Mapping[str, str] = field(default_factory=dict)
    postal_address: str = ""
    first_of_programme: bool = False
    version: int | None = None
    stored: StoredTemplate | None = None
