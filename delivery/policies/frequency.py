"""Frequency: how much of one kind a person gets in a day or a week; what is over waits for a free slot.

Three caps: the catalog's daily limit per user and type, the user's own weekly cap per category, and some states' limit
on texts about one subject (our subject is the category). Critical messages are exempt. Within a batch each message
that passes counts for the next, and each one that waits takes its own slot.
"""

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.values import value
from core.vocabulary import Category, Channel, Urgency
from delivery.catalog import catalog
from delivery.policies.base import ALLOW, Candidate, Facts, Verdict
from delivery.policies.places import place_of
from delivery.policies.reasons import Reason

DAY, WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class SubjectCap:
    """At most `count` texts on one subject in 24 hours."""

    count: int
    source: str


SUBJECT_CAPS: Mapping[str, SubjectCap] = {
    "FL": SubjectCap(3, "Fla. Stat. 501.616(6)(b)"),
    "MD": SubjectCap(3, "Md. Com. Law 14-4501 et seq. (Stop the Spam Calls Act 2023)"),
    "OK": SubjectCap(3, "15 Okla. Stat. 775C.4"),
}


def check(candidates: Sequence[Candidate], facts: Facts, now: datetime) -> list[Verdict]:
    """Defer what is over a cap to the instant at which a slot is free; skip only where that comes after expiry."""
    book = _Book(facts, now)
    return [
        ALLOW if one.type.urgency is Urgency.CRITICAL else _check(one, facts, book, now) for one in candidates
    ]


@value(frozen=True, slots=True)
class _Cap:
    reason: Reason
    count: int
    period: timedelta
    slots: list[datetime]
    """Sends within the period and slots already given in this batch, oldest first."""

    def free_at(self, now: datetime) -> datetime:
        """When one more fits."""
        if len(self.slots) < self.count:
            return now
        return max(now, self.slots[-self.count] + self.period)


@dataclass(slots=True)
class _Book:
    """The slots of each user, filled from the facts when first asked for and by this batch after."""

    facts: Facts
    now: datetime
    slots: dict[tuple[object, ...], list[datetime]] = field(default_factory=dict)

    def daily(self, user: str, type_name: str) -> list[datetime]:
        key = (user, type_name)
        slots = self.slots.get(key)
        if slots is None:
            slots = self.slots[key] = self._since(DAY, self.facts.recent_sends.get(key, ()))
        return slots

    def weekly(self, user: str, category: Category) -> list[datetime]:
        key = (user, category, "week")
        if key not in self.slots:
            self.slots[key] = self._since(WEEK, self.facts.recent_in_category.get((user, category), ()))
        return self.slots[key]

    def subject(self, user: str, category: Category) -> list[datetime]:
        key = (user, category, "subject")
        if key not in self.slots:
            types = [name for name, row in catalog().items() if row.category is category]
            self.slots[key] = sorted(at for name in types for at in self.daily(user, name))
        return self.slots[key]

    def _since(self, period: timedelta, sends: Sequence[datetime]) -> list[datetime]:
        return sorted([at for at in sends if at > self.now - period]) if sends else []


def _check(candidate: Candidate, facts: Facts, book: _Book, now: datetime) -> Verdict:
    caps = _caps(candidate, facts, book)
    until, tightest = now, caps[0]
    for cap in caps:
        if cap.count <= 0:
            return Verdict.skip(Reason.CAP_IS_ZERO)
        free_at = cap.free_at(now)
        if free_at > until:
            until, tightest = free_at, cap
    if until >= candidate.expires_at:
        return Verdict.skip(Reason.CAPPED_PAST_EXPIRY, cap=tightest.reason.value, count=tightest.count)
    for cap in caps:
        insort(cap.slots, until)
    if until > now:
        return Verdict.defer(until, tightest.reason, count=tightest.count)
    return ALLOW


def _caps(candidate: Candidate, facts: Facts, book: _Book) -> list[_Cap]:
    user, category = candidate.user_id, candidate.type.category
    caps = [
        _Cap(Reason.DAILY_LIMIT, candidate.type.user_daily_limit, DAY, book.daily(user, candidate.type.name))
    ]
    wish = facts.preferences.get((user, category, candidate.channel))
    if wish is not None and wish.weekly_cap is not None:
        caps.append(_Cap(Reason.WEEKLY_CAP, wish.weekly_cap, WEEK, book.weekly(user, category)))
    if candidate.channel is Channel.SMS and candidate.type.window:
        laws = place_of(candidate, facts.users[user]).laws
        counts = [SUBJECT_CAPS[law].count for law in laws if law in SUBJECT_CAPS]
        if counts:
            caps.append(_Cap(Reason.SUBJECT_CAP, min(counts), DAY, book.subject(user, category)))
    return caps
