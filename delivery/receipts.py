"""What providers tell us later: store durably first, then match, record, move, react. Order and repetition don't matter.

callback ─verify▶ receive() = inbox rows ─▶ apply_waiting() = events, states, suppressions, opt-outs, fallback
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection

from core.clock import utc_now
from core.database import execute, insert_rows, rows, transaction
from core.ids import new_id
from core.models import seal, unseal
from core.vocabulary import Channel, ErrorClass, EventKind, OutcomeKind, State, Urgency
from delivery import consents, ledger, suppressions
from delivery.catalog import message_type
from delivery.ledger import ClosedAttempt, Fact
from delivery.lifecycle import EVENT_TARGETS
from delivery.messages import DeliveryEvent
from delivery.settlement import revocation
from delivery.suppressions import SuppressionRequest

log = logging.getLogger(__name__)
EVENT_PLACE = "callbacks.event"
UNMATCHED_FOR = timedelta(hours=24)
"""How long an event of a message that we don't know (yet) is kept waiting: a callback can outrun the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    attempt_id: UUID
    notification_id: UUID
    user_id: str
    message_type: str
    channel: Channel
    provider: str
    domain: str
    address_index: bytes


def receive(events: Sequence[DeliveryEvent]) -> int:
    """Store verified events in the inbox, committed when it returns; the number that was not known before."""
    if not events:
        return 0
    values = []
    for event in events:
        callback_id = new_id()
        plain = orjson.dumps(asdict(event), default=str)
        values.append(
            (
                callback_id,
                event.provider,
                event.event_key,
                event.kind,
                seal(plain, place=EVENT_PLACE, row=callback_id),
            )
        )
    with transaction() as connection:
        stored = insert_rows(
            connection,
            "INSERT INTO callbacks (id, provider, event_key, kind, event_sealed) VALUES %s"
            " ON CONFLICT (provider, event_key) DO NOTHING RETURNING id",
            values,
        )
    return len(stored)


def apply_waiting(*, limit: int = 500, now: datetime | None = None) -> int:
    """Process the oldest waiting inbox rows in one transaction; how many were taken."""
    at = now or utc_now()
    with transaction() as connection:
        taken = rows(
            connection,
            "SELECT id, event_sealed, received_at FROM callbacks WHERE processed_at IS NULL"
            " AND (result = '' OR received_at < now() - interval '2 seconds')"
            " ORDER BY received_at LIMIT %s FOR UPDATE SKIP LOCKED",
            (limit,),
        )
        if not taken:
            return 0
        events = {row[0]: _event(unseal(row[1], place=EVENT_PLACE, row=row[0])) for row in taken}
        results = _apply(connection, events, at)
        old = {row[0] for row in taken if row[2] < at - UNMATCHED_FOR}
        for result in set(results.values()):
            ids = [callback_id for callback_id, found in results.items() if found == result]
            done = [each for each in ids if result != "unmatched" or each in old]
            _finish(connection, done, result, waiting=False)
            _finish(connection, [each for each in ids if each not in set(done)], result, waiting=True)
    return sum(result != "unmatched" for result in results.values())


def _finish(connection: Connection, ids: Sequence[UUID], result: str, *, waiting: bool) -> None:
    if ids:
        execute(
            connection,
            "UPDATE callbacks SET result = %s, processed_at = CASE WHEN %s THEN NULL ELSE now() END"
            " WHERE id = ANY(%s::uuid[])",
            (result, waiting, [str(each) for each in ids]),
        )


def _apply(connection: Connection, events: Mapping[UUID, DeliveryEvent], now: datetime) -> dict[UUID, str]:
    matches = _match(connection, list(events.values()))
    results: dict[UUID, str] = {}
    matched: list[tuple[DeliveryEvent, _Match]] = []
    for callback_id, event in sorted(events.items(), key=lambda item: item[1].at):
        found = _found(event, matches)
        if found is not None:
            matched.append((event, found))
            results[callback_id] = "applied"
        elif event.kind in {EventKind.RECEIVED, EventKind.UNRECOGNISED}:
            results[callback_id] = str(event.kind)
        else:
            results[callback_id] = "unmatched"
    _close_unknown(connection, matched)
    for event, found in matched:
        _move(connection, event, found, now)
    ledger.record_facts(connection, [_fact(event, found) for event, found in matched])
    _protect(connection, matched)
    return results


def _match(connection: Connection, events: Sequence[DeliveryEvent]) -> dict[object, _Match]:
    found = rows(
        connection,
        "SELECT a.id, a.notification_id, n.user_id, n.message_type, a.channel, a.provider, c.domain, c.address_index,"
        " a.reference FROM attempts a JOIN notifications n ON n.id = a.notification_id"
        " JOIN contact_points c ON c.id = a.contact_point_id"
        " WHERE a.id = ANY(%s::uuid[]) OR (a.reference <> '' AND a.reference = ANY(%s))",
        (
            [str(each.attempt_id) for each in events if each.attempt_id],
            [each.reference for each in events if each.reference and not each.attempt_id],
        ),
    )
    matches: dict[object, _Match] = {}
    for r in found:
        match = _Match(
            attempt_id=r[0], notification_id=r[1], user_id=r[2], message_type=r[3], channel=Channel(r[4]),
            provider=r[5], domain=r[6], address_index=bytes(r[7]),
        )  # fmt: skip
        matches[match.attempt_id] = match
        if r[8]:
            matches[match.provider, r[8]] = match
    return matches


def _found(event: DeliveryEvent, matches: Mapping[object, _Match]) -> _Match | None:
    return matches.get(event.attempt_id) or matches.get((event.provider, event.reference))


def _close_unknown(connection: Connection, matched: Sequence[tuple[DeliveryEvent, _Match]]) -> None:
    """A receipt proves that its attempt reached the provider: an open or unknown one is closed by it."""
    proofs = {
        found.attempt_id: ClosedAttempt(
            id=found.attempt_id,
            outcome=OutcomeKind.ACCEPTED,
            reference=event.reference,
            cost=abs(event.price) if event.price is not None else None,
            units=event.units,
        )
        for event, found in matched
        if event.kind in EVENT_TARGETS
    }
    ledger.close_attempts(connection, list(proofs.values()), resolved_by="receipt")


def _move(connection: Connection, event: DeliveryEvent, found: _Match, now: datetime) -> None:
    target = EVENT_TARGETS.get(event.kind)
    if target is None:
        return
    if target in {State.FAILED, State.BOUNCED} and _may_fall_back(event, found):
        moved = _fall_back(connection, event, found, now)
        if moved:
            return
    ledger.move_by_proof(connection, [found.notification_id], target, reason=event.code)


def _may_fall_back(event: DeliveryEvent, found: _Match) -> bool:
    row = message_type(found.message_type)
    return (
        row.urgency in {Urgency.CRITICAL, Urgency.URGENT}
        and sum(row.allows(channel) for channel in row.channels) > 1
        and event.kind is not EventKind.COMPLAINED
    )


def _fall_back(connection: Connection, event: DeliveryEvent, found: _Match, now: datetime) -> bool:
    """Send an undelivered urgent message by its next channel, unless another attempt of it lives or has arrived."""
    ledger.close_channel(connection, found.attempt_id)
    alive = ledger.other_live_attempts(connection, found.notification_id, found.attempt_id)
    if alive:
        return True
    return bool(
        ledger.move_by_proof(connection, [found.notification_id], State.ACCEPTED, reason=event.code, due=now)
    )


def _fact(event: DeliveryEvent, found: _Match) -> Fact:
    return Fact(
        at=event.at, kind=event.kind, channel=found.channel, provider=found.provider,
        notification_id=found.notification_id, attempt_id=found.attempt_id, user_id=found.user_id,
        message_type=found.message_type, code=event.code, error_class=event.error_class or "", domain=found.domain,
        is_machine=event.is_machine, price=event.price,
    )  # fmt: skip


def _protect(connection: Connection, matched: Sequence[tuple[DeliveryEvent, _Match]]) -> None:
    """Suppress and revoke where a provider's table says so; a complaint does both."""
    bad = [
        (e, m)
        for e, m in matched
        if e.suppress_address or e.kind in {EventKind.BOUNCED_HARD, EventKind.COMPLAINED}
    ]
    suppressions.suppress(
        connection,
        [
            SuppressionRequest(
                channel=m.channel, address_index=m.address_index, reason=e.code or str(e.kind),
                source="delivery_event", provider=e.provider,
            )
            for e, m in bad
        ],
    )  # fmt: skip
    out = [
        (e, m)
        for e, m in matched
        if e.revoke_consent or e.kind in {EventKind.COMPLAINED, EventKind.UNSUBSCRIBED}
    ]
    consents.record(
        connection, [entry for e, m in out for entry in revocation(m.user_id, m.channel, source=str(e.kind))]
    )


def _event(text: str) -> DeliveryEvent:
    data: dict[str, Any] = orjson.loads(text)
    return DeliveryEvent(
        **data
        | {
            "kind": EventKind(data["kind"]),
            "at": datetime.fromisoformat(data["at"]),
            "attempt_id": UUID(data["attempt_id"]) if data["attempt_id"] else None,
            "error_class": ErrorClass(data["error_class"]) if data["error_class"] else None,
            "price": Decimal(data["price"]) if data["price"] is not None else None,
        }
    )
