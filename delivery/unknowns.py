"""Unknown outcomes: resolved by receipt first; after a settle time by repeating (where a key makes it safe) or by
asking the provider's own list; and only then by a rule per urgency.

A message is never sent again while the provider may have it, except a critical one, marked `possible_duplicate`.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from core.clock import utc_now
from core.database import execute, rows, transaction
from core.settings import settings
from core.vocabulary import ErrorClass, OutcomeKind, State, Urgency
from delivery import ledger
from delivery.interrupted import Interrupted, interrupted_attempts, repeat
from delivery.ledger import ClosedAttempt, Move
from delivery.messages import Outcome
from delivery.providers import provider
from delivery.providers.base import ProviderRecord
from delivery.receipts import apply_waiting, receive
from delivery.settlement import settle

log = logging.getLogger(__name__)

NOT_SENT = Outcome(
    OutcomeKind.RETRY_LATER, code="surely_not_sent", error_class=ErrorClass.TRANSIENT_NETWORK, retry_after=1.0
)
CLOCKS_APART = timedelta(seconds=30)


def resolve_unknown(*, limit: int = 500) -> dict[str, int]:
    """Bring unknown notifications past their settle time to an end; how many ended in which way."""
    with transaction() as connection:
        taken = rows(
            connection,
            "WITH waiting AS (SELECT id FROM notifications WHERE state = 'unknown'"
            "  AND updated_at < now() - make_interval(secs => %s) ORDER BY updated_at LIMIT %s FOR UPDATE SKIP LOCKED)"
            " UPDATE notifications n SET state = 'claimed', fence = n.fence + 1, claims = n.claims + 1,"
            "  updated_at = now(), lease_until = now() + make_interval(secs => %s) FROM waiting"
            " WHERE n.id = waiting.id RETURNING n.id",
            (settings().unknown_settle_seconds, limit, settings().lease_seconds),
        )
        ids = [row[0] for row in taken]
        if not ids:
            return {}
        found = [_under_present_fence(each) for each in interrupted_attempts(connection, ids)]
    counts: Counter[str] = Counter()
    repeatable = [each for each in found if each.repeatable]
    repeat(repeatable)
    counts["repeated"] = len(repeatable)
    for each in found:
        if not each.repeatable and each.sent.notification_id in set(ids):
            counts[_ask(each)] += 1
    apply_waiting()
    log.info("unknown_resolved", extra={"counts": dict(counts)})
    return dict(counts)


def backlog() -> int:
    """How many notifications wait with an unknown outcome: a metric."""
    with transaction() as connection:
        return int(rows(connection, "SELECT count(*) FROM notifications WHERE state = 'unknown'")[0][0])


def _under_present_fence(each: Interrupted) -> Interrupted:
    return replace(each, sent=replace(each.sent, fence=each.sent.fence - 1))


def _ask(each: Interrupted) -> str:
    address, message = each.rendering()
    records = provider(each.sent.route.provider).search(
        address=address, since=each.opened_at - CLOCKS_APART, until=utc_now() + CLOCKS_APART
    )
    if records is None:
        return _undecided(each)
    record = _ours(each, records, message.body)
    if record is not None:
        event = replace(record.status_event, attempt_id=each.sent.attempt_id)
        receive([event])
        accepted = Outcome(
            OutcomeKind.ACCEPTED, reference=record.reference, price=record.price, units=record.units
        )
        return _settle(each, accepted, "found_at_provider")
    return _settle(each, NOT_SENT, "not_at_provider")


def _settle(each: Interrupted, outcome: Outcome, how: str) -> str:
    with transaction() as connection:
        settle(connection, [each.sent], {each.sent.attempt_id: outcome}, now=utc_now(), resolved_by=how)
    return how


def _ours(each: Interrupted, records: Sequence[ProviderRecord], body: str) -> ProviderRecord | None:
    """The record of this attempt: by our id where the provider carries it, else same text after our call began."""
    for record in records:
        if record.attempt_id == each.sent.attempt_id:
            return record
    same_text = [
        record
        for record in records
        if record.attempt_id is None
        and record.body == body
        and record.created_at >= each.opened_at - CLOCKS_APART
    ]
    with transaction() as connection:
        known = {
            row[0]
            for row in rows(
                connection,
                "SELECT reference FROM attempts WHERE provider = %s AND reference = ANY(%s)",
                (each.sent.route.provider, [record.reference for record in same_text]),
            )
        }
    return next((record for record in same_text if record.reference not in known), None)


def _undecided(each: Interrupted) -> str:
    """The provider can't be asked: critical goes on by another route, the rest waits, in the end for a person."""
    waited = utc_now() - each.opened_at
    critical = each.sent.type.urgency is Urgency.CRITICAL
    move = Move(
        id=each.sent.notification_id, fence=each.sent.fence, target=State.UNKNOWN, reason="provider_silent"
    )
    with transaction() as connection:
        if critical and waited > timedelta(seconds=settings().unknown_give_up_seconds):
            ledger.close_attempts(
                connection,
                [ClosedAttempt(id=each.sent.attempt_id, outcome=OutcomeKind.UNKNOWN, closes="route")],
                resolved_by="",
            )
            execute(connection, "UPDATE attempts SET closes = 'route' WHERE id = %s", (each.sent.attempt_id,))
            move = replace(move, target=State.ACCEPTED, deliver_after=utc_now(), possible_duplicate=True)
        elif utc_now() > each.sent.expires_at + timedelta(days=1):
            move = replace(move, target=State.DEAD, reason="outcome_unknown")
            ledger.bury(connection, [(move.id, move.reason, ErrorClass.UNKNOWN, each.sent.tries + 1, "")])
        ledger.move(connection, [move])
    return "still_unknown" if move.target is State.UNKNOWN else str(move.target)
