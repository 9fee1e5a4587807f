"""What a policy is: a pure function that judges a batch on loaded facts, with `now` passed in.

A policy returns one verdict per candidate, in order; `ALLOW` where it has nothing against it. The order of policies
and the combination of their verdicts are in `delivery.policies`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from core.values import value
from core.vocabulary import Category, Channel, ConsentLevel, Purpose
from delivery.budgets import Standing
from delivery.catalog import MessageType


class VerdictKind(StrEnum):
    """Send, wait, or don't."""

    ALLOW = "allow"
    DEFER = "defer"
    SKIP = "skip"


@value(frozen=True, slots=True)
class Verdict:
    """Allow · Defer(until, reason) · Skip(reason), with the evidence that decided it (ids and numbers only)."""

    kind: VerdictKind
    reason: str = ""
    until: datetime | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def defer(cls, until: datetime, reason: str, **evidence: Any) -> "Verdict":
        """Wait until then, because of `reason`."""
        return cls(VerdictKind.DEFER, reason, until, evidence)

    @classmethod
    def skip(cls, reason: str, **evidence: Any) -> "Verdict":
        """Never send this, because of `reason`."""
        return cls(VerdictKind.SKIP, reason, None, evidence)

    @classmethod
    def allow(cls, **evidence: Any) -> "Verdict":
        """Nothing against it; the evidence says why."""
        return cls(VerdictKind.ALLOW, "", None, evidence)


ALLOW = Verdict(VerdictKind.ALLOW)


@value(frozen=True, slots=True)
class Candidate:
    """One notification on one channel, about to be sent if nobody objects."""

    notification_id: UUID
    user_id: str
    type: MessageType
    channel: Channel
    expires_at: datetime
    address_index: bytes | None = None
    """Blind index of the contact point's address; None when the user has no contact point on this channel."""
    country: str = ""
    region: str = ""
    """US state of the phone number's area code, where known."""
    zones: tuple[str, ...] = ()
    """IANA zones that the phone number's prefix may lie in."""
    amount: Decimal | None = None
    """The money that the payload speaks of, for thresholds."""
    units: int = 1
    jitter: float = 0.0
    """A number in [0, 1) fixed per notification, to spread deferred messages over their window."""
    is_digest: bool = False
    """Whether it gathers other messages (`delivery.digests`), and so is gathered itself no more."""
    block: str = ""
    """The block of numbers that the number lies in, where blocks are held to a pace (`delivery.pumping`)."""
    provider: str = ""
    """Who would carry it, for the provider's pace; empty when not known yet."""
    provider_units_per_minute: int = 0
    """The provider's pace in units (SMS segments, mails) per minute across all workers; 0 means unpaced."""


@value(frozen=True, slots=True)
class ConsentState:
    """The current state of user × channel × purpose, derived from the ledger."""

    consent_id: str
    """The deciding row, as evidence names it."""
    granted: bool
    level: ConsentLevel
    confirmed: bool


@value(frozen=True, slots=True)
class UserFacts:
    """What policies may know about a person."""

    user_id: str
    time_zone: str | None
    state: str = ""
    """US state from the address or ZIP, two letters, empty when unknown."""
    country: str = ""
    locale: str = "en_US"
    paused_until: datetime | None = None
    quiet_from: time | None = None
    quiet_until: time | None = None
    erased: bool = False


@value(frozen=True, slots=True)
class PreferenceFacts:
    """A person's wish for one category on one channel."""

    enabled: bool = True
    minimum_amount: Decimal | None = None
    paused_until: datetime | None = None
    digest: bool = False
    weekly_cap: int | None = None
    preferred_from: time | None = None
    preferred_until: time | None = None


@value(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a batch is judged on, loaded in a handful of set queries before the first policy runs."""

    users: Mapping[str, UserFacts]
    consents: Mapping[tuple[str, Channel, Purpose], ConsentState]
    preferences: Mapping[tuple[str, Category, Channel], PreferenceFacts]
    suppressed: Mapping[tuple[Channel, bytes], str]
    """(channel, address index) → reason, for suppressions in force."""
    recent_sends: Mapping[tuple[str, str], Sequence[datetime]] = field(default_factory=dict)
    """(user, message type) → instants of the sends in the last 24 h, oldest first: when a slot is free again."""
    recent_in_category: Mapping[tuple[str, Category], Sequence[datetime]] = field(default_factory=dict)
    """(user, category) → instants of the sends in the last 7 days, oldest first; needed where a weekly cap is set."""
    budgets: Sequence[Standing] = ()
    """How the budgets stand; empty when there are none."""


Policy = Callable[[Sequence[Candidate], Facts, datetime], list[Verdict]]
