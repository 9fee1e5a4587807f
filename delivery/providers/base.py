"""What a provider is: typed transmissions in, outcomes out, events out. No policy, no database, no retry loop.

A provider never raises out of `transmit`, `lookup` or `search`: whatever happens on the wire becomes an `Outcome`.
The one line that matters most: a failure *before* bytes were written is RetryLater, one *after* is Unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeGuard, runtime_checkable
from uuid import UUID

from core.vocabulary import Channel
from delivery.messages import DeliveryEvent, Outcome, Transmission


@dataclass(frozen=True, slots=True)
class RawCallback:
    """A webhook as it came: the raw body, the headers in lower case, and the public URL it was sent to."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """One message as the provider's own list shows it, for reconciliation; of a mail, `body` is the subject."""

    reference: str
    address: str
    status_event: DeliveryEvent
    created_at: datetime
    attempt_id: UUID | None = None
    price: Decimal | None = None
    units: int | None = None
    body: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a provider says it may be called: `limit` calls per `window` seconds, all clients of the account together.

    `remaining` calls were left when it said so, for `reset` seconds.
    """

    limit: int
    remaining: int
    reset: float
    window: float = 1.0


@runtime_checkable
class TellsPace(Protocol):
    """A provider whose answers say how often it may be called; `delivery.call_pace` holds all workers to it."""

    @property
    def pace(self) -> Pace | None:
        """What the last answer said; None before the first."""
        ...


def tells_pace(provider: object) -> TypeGuard[TellsPace]:
    """Whether `provider` is one of those; asking the protocol itself costs 20 µs, twice per call."""
    return hasattr(type(provider), "pace")


class Provider(Protocol):
    """Who carries messages of one channel."""

    name: str
    channel: Channel
    batch_size: int
    """How many transmissions one call may carry; 1 means one call each (made through a bounded pool)."""
    idempotent: bool
    """True when a repeat with the same key and body is safe (Resend for 24 h), so Unknown may be retried."""

    def batchable(self, transmission: Transmission) -> bool:
        """Whether this one may share a call (a mail with attachments may not)."""
        ...

    def transmit(self, transmissions: Sequence[Transmission], *, key: str) -> list[Outcome]:
        """Hand over all, in one call when the provider can; the outcomes in the same order. Never raises."""
        ...

    def lookup(self, reference: str) -> DeliveryEvent | None:
        """The present status of one message; None when the provider does not know it or can't say."""
        ...

    def search(self, *, address: str | None, since: datetime, until: datetime) -> list[ProviderRecord] | None:
        """The provider's own list, newest first; None when it can't be read now."""
        ...

    def events(self, callback: RawCallback) -> list[DeliveryEvent]:
        """The events of a genuine callback; InvalidSignature for any other, InvalidRequest for a broken one."""
        ...
