"""Our log against the provider's own list, for a window of the past: what is lost, extra or different, and real prices.

lost        we hold it for handed over, the provider does not list it
extra       the provider lists it, we know nothing of it (another user of the account, or a message of unknown outcome)
different   the provider knows an end that we were never told: its word is taken in as if it had been called back

Both lists are read with `SLACK` at the edges, so that clocks which differ lose nothing; what lies in the slack is not
judged. A list that can't be read whole says nothing, and is reported as unreadable.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection

from core.clock import utc_now
from core.database import transaction
from core.ids import first_id
from core.statements import rows
from core.vocabulary import EventKind
from delivery import alarms, booking
from delivery.alarms import Raised
from delivery.providers import provider
from delivery.providers.base import ProviderRecord
from delivery.receipts import receive

log = logging.getLogger(__name__)

SLACK = timedelta(minutes=5)
ALARM_SHARE = 0.005
"""Half a percent of difference is an alarm of its own."""
BOOKED_AT_ONCE = 500
_UNDER_WAY = frozenset({EventKind.QUEUED, EventKind.SENT, EventKind.DEFERRED, EventKind.UNRECOGNISED})
_BOUNCED = frozenset({EventKind.BOUNCED_HARD, EventKind.BOUNCED_SOFT})
_ARRIVED = frozenset({EventKind.DELIVERED, EventKind.OPENED, EventKind.CLICKED, EventKind.COMPLAINED})


@dataclass(frozen=True, slots=True)
class Finding:
    """One message on which the two lists differ: the provider's reference, what each says, and when it was sent."""

    reference: str
    ours: str
    theirs: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What came of one provider and window; `correction` is USD that our books were short of (or over, if negative)."""

    provider: str
    start: datetime
    end: datetime
    readable: bool = True
    ours: int = 0
    theirs: int = 0
    lost: Sequence[Finding] = ()
    extra: Sequence[Finding] = ()
    different: Sequence[Finding] = ()
    repriced: int = 0
    correction: Decimal = Decimal(0)

    @property
    def share(self) -> float:
        """Lost, extra and different among all messages."""
        return (len(self.lost) + len(self.extra) + len(self.different)) / max(1, self.ours, self.theirs)

    @property
    def alarming(self) -> bool:
        """Whether the lists differ by more than half a percent."""
        return self.readable and self.share > ALARM_SHARE


@dataclass(frozen=True, slots=True)
class _Ours:
    id: UUID
    reference: str
    opened_at: datetime
    outcome: str
    cost: Decimal | None
    heard: frozenset[str]


def reconcile(name: str, start: datetime, end: datetime) -> Reconciliation:
    """Compare [start, end) with the provider's list, take in what it knows better, and book its prices."""
    records = provider(name).search(address=None, since=start - SLACK, until=end + SLACK)
    if records is None:
        log.warning("provider_list_unreadable", extra={"provider": name})
        return Reconciliation(provider=name, start=start, end=end, readable=False)
    theirs = [each for each in records if each.status_event.kind is not EventKind.RECEIVED]
    with transaction() as connection:
        attempts = _attempts(connection, name, theirs, start, end)
    by_id = {each.id: each for each in attempts}
    by_reference = {each.reference: each for each in attempts if each.reference}
    pairs: list[tuple[ProviderRecord, _Ours]] = []
    extra: list[Finding] = []
    for record in theirs:
        own = by_reference.get(record.reference) or (
            by_id.get(record.attempt_id) if record.attempt_id else None
        )
        if own is not None:
            pairs.append((record, own))
        elif start <= record.created_at < end:
            extra.append(Finding(record.reference, "", record.status_event.kind, record.created_at))
    listed = {own.id for _, own in pairs}
    judged = [each for each in attempts if start <= each.opened_at < end and each.outcome == "accepted"]
    differing = [(record, own) for record, own in pairs if _differs(record, own)]
    receive([replace(record.status_event, attempt_id=own.id) for record, own in differing])
    booked = _book(pairs)
    found = Reconciliation(
        provider=name,
        start=start,
        end=end,
        ours=len(judged),
        theirs=sum(start <= each.created_at < end for each in theirs),
        lost=[
            Finding(each.reference, _last_heard(each), "", each.opened_at)
            for each in judged
            if each.id not in listed
        ],
        extra=extra,
        different=[
            Finding(record.reference, _last_heard(own), record.status_event.kind, own.opened_at)
            for record, own in differing
        ],
        repriced=booked.attempts,
        correction=booked.difference,
    )
    _tell(found)
    return found


def _attempts(
    connection: Connection, name: str, theirs: Sequence[ProviderRecord], start: datetime, end: datetime
) -> list[_Ours]:
    """Our attempts of the window, and any others that the list speaks of; ids begin with their time (UUIDv7)."""
    found = rows(
        connection,
        "SELECT a.id, a.reference, a.opened_at, COALESCE(a.outcome, ''), a.cost,"
        " ARRAY(SELECT kind FROM delivery_events e WHERE e.notification_id = a.notification_id"
        "  AND e.attempt_id = a.id)"
        " FROM attempts a WHERE a.provider = %(name)s AND ((a.id >= %(first)s AND a.id < %(last)s)"
        "  OR a.reference = ANY(%(references)s) OR a.id = ANY(%(ids)s::uuid[]))",
        {
            "name": name,
            "first": first_id(start - SLACK),
            "last": first_id(end + SLACK),
            "references": [each.reference for each in theirs],
            "ids": [str(each.attempt_id) for each in theirs if each.attempt_id],
        },
    )
    return [_Ours(r[0], r[1], r[2], r[3], r[4], frozenset(r[5])) for r in found]


def _differs(record: ProviderRecord, own: _Ours) -> bool:
    """Whether the provider knows an end that nobody has told us."""
    kind = record.status_event.kind
    if own.outcome != "accepted":
        return True
    if kind in _UNDER_WAY or kind in own.heard:
        return False
    return not any(kind in alike and own.heard & alike for alike in (_ARRIVED, _BOUNCED))


def _last_heard(own: _Ours) -> str:
    ends = [str(kind) for kind in EventKind if kind not in _UNDER_WAY and kind in own.heard]
    return ends[-1] if ends else own.outcome or "open"


def _book(pairs: Sequence[tuple[ProviderRecord, _Ours]]) -> booking.Booked:
    prices: Mapping[UUID, Decimal] = {
        own.id: record.price
        for record, own in pairs
        if record.price is not None and own.outcome == "accepted" and own.cost != abs(record.price)
    }
    ids = list(prices)
    attempts, difference = 0, Decimal(0)
    for begin in range(0, len(ids), BOOKED_AT_ONCE):
        with transaction() as connection:
            booked = booking.book(
                connection, {each: prices[each] for each in ids[begin : begin + BOOKED_AT_ONCE]}
            )
        attempts += booked.attempts
        difference += booked.difference
    return booking.Booked(attempts, difference)


def _tell(found: Reconciliation) -> None:
    counts = {"lost": len(found.lost), "extra": len(found.extra), "different": len(found.different)}
    log.info(
        "provider_reconciled",
        extra={"provider": found.provider, "ours": found.ours, "theirs": found.theirs, **counts},
    )
    raised = Raised(
        found.provider,
        f"{found.share:.1%} of {found.provider}'s messages differ between its list and our log.",
        {"start": found.start.isoformat(), "end": found.end.isoformat(), **counts},
    )
    with transaction() as connection:
        alarms.settle(
            connection, f"reconciliation {found.provider}", [raised] if found.alarming else [], now=utc_now()
        )
