"""From outcomes to the ledger: attempts closed, states moved, side effects written, in one transaction."""

import logging
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from core.clock import utc_now
from core.database import DATABASE_AWAY, transaction
from core.settings import settings
from core.values import value
from core.vocabulary import OutcomeKind, State, Urgency
from delivery import ledger
from delivery.catalog import MessageType
from delivery.health import Calls
from delivery.ledger import ClosedAttempt, Fact, Letter, Move
from delivery.messages import LEASE_OVER, Outcome
from delivery.providers import provider
from delivery.reactions import Reaction, closes, reaction, retry_at
from delivery.refusals import Refusal, protect_refused
from delivery.routing import Route

log = logging.getLogger(__name__)

REPEAT_SECONDS = 5
LONGEST_DOUBT = 600.0


@value(frozen=True, slots=True, kw_only=True)
class Sent:
    """An attempt that a provider was called for, with what the settlement must know of it."""

    attempt_id: UUID
    notification_id: UUID
    user_id: str
    type: MessageType
    fence: int
    tries: int
    route: Route
    key: str
    """The call's idempotency key: members of one batch share it."""
    units: int
    cost_estimate: Decimal
    domain: str
    address_index: bytes
    expires_at: datetime
    evidence: dict[str, Any] | None = None
    """Why it was allowed: rule version and consent row, kept on the notification."""
    opened_at: datetime | None = None
    """When the attempt was opened, where that is long ago."""


@value(frozen=True, slots=True)
class Settled:
    """What a settlement came to: ids by their new state, and those to try on another route now."""

    moved: Mapping[UUID, State]
    again: Mapping[UUID, Route]


def settle_surely(sent: Sequence[Sent], outcomes: Mapping[UUID, Outcome], *, resolved_by: str) -> Settled:
    """`settle` in its own transaction, tried again while the database is away: what a provider said is not forgotten
    for a restart. After a lease's time the error is raised, and the attempts count as interrupted.
    """
    until = time.monotonic() + settings().lease_seconds
    while True:
        try:
            with transaction() as connection:
                return settle(connection, sent, outcomes, now=utc_now(), resolved_by=resolved_by)
        except DATABASE_AWAY as error:
            if time.monotonic() > until:
                raise
            log.warning("settlement_waits", extra={"error": type(error).__name__, "attempts": len(sent)})
            time.sleep(random.uniform(0.2, 1.0))


def settle(
    connection: Connection,
    sent: Sequence[Sent],
    outcomes: Mapping[UUID, Outcome],
    *,
    now: datetime,
    resolved_by: str,
) -> Settled:
    """Write the outcomes; a notification that was fenced or already receipted keeps its newer state.

    Doing it twice is doing it once.
    """
    moves = {each.notification_id: _move(each, outcomes[each.attempt_id], now) for each in sent}
    closed = ledger.close_attempts(
        connection, [_closed(each, outcomes[each.attempt_id]) for each in sent], resolved_by=resolved_by
    )
    moved = ledger.move(connection, list(moves.values()))
    late = [
        moves[each.notification_id]
        for each in sent
        if each.notification_id not in moved
        and each.attempt_id in closed
        and outcomes[each.attempt_id].kind is OutcomeKind.ACCEPTED
    ]
    if late:
        ledger.complete_late(connection, late)
    ledger.bury(
        connection,
        [
            _letter(each, moves[each.notification_id], outcomes[each.attempt_id])
            for each in sent
            if each.notification_id in moved and moves[each.notification_id].target is State.DEAD
        ],
    )
    fresh = [each for each in sent if each.attempt_id in closed]
    ledger.record_facts(connection, _facts(fresh, outcomes, now))
    _protect(connection, fresh, outcomes)
    return Settled(
        moved={notification_id: moves[notification_id].target for notification_id in moved},
        again={
            each.notification_id: each.route
            for each in sent
            if each.notification_id in moved
            and (step := moves[each.notification_id]).target is State.ACCEPTED
            and step.deliver_after == now
        },
    )


_FAILED_CALLS = frozenset({OutcomeKind.UNKNOWN, OutcomeKind.RETRY_LATER, OutcomeKind.QUOTA_EXHAUSTED})


def health_of(sent: Sequence[Sent], outcomes: Mapping[UUID, Outcome]) -> dict[str, Calls]:
    """What the calls came to, for the circuit breaker: a batch is one call, and what was not sent is none.

    A refusal of one message is a good call: the provider works.
    """
    calls: dict[str, Calls] = defaultdict(Calls)
    counted: set[str] = set()
    for each in sent:
        outcome = outcomes[each.attempt_id]
        if each.key in counted or outcome.code == LEASE_OVER.code:
            continue
        counted.add(each.key)
        bad = outcome.kind in _FAILED_CALLS or outcome.misconfigured
        tally = calls[each.route.provider]
        tally.good, tally.bad = tally.good + (not bad), tally.bad + bad
        tally.broken |= outcome.misconfigured or outcome.kind is OutcomeKind.QUOTA_EXHAUSTED
    return dict(calls)


def _move(sent: Sent, outcome: Outcome, now: datetime) -> Move:
    def to(
        target: State, reason: str = "", *, at: datetime | None = None, cost: Decimal = Decimal(0)
    ) -> Move:
        return Move(
            id=sent.notification_id, fence=sent.fence, target=target, reason=reason, deliver_after=at,
            cost=cost, channel=sent.route.channel, provider=sent.route.provider, evidence=sent.evidence,
        )  # fmt: skip

    why = outcome.code or str(outcome.kind)
    if outcome.code == LEASE_OVER.code:
        return to(State.ACCEPTED, at=now + timedelta(seconds=1))
    match reaction(outcome, sent.type):
        case Reaction.DONE:
            return to(State.SENT, cost=_cost(sent, outcome))
        case Reaction.AWAIT_RECEIPT:
            return to(State.UNKNOWN, why, at=look_again_at(sent, now))
        case Reaction.DEAD_LETTER:
            return to(State.DEAD, why)
        case Reaction.NEXT_ROUTE:
            return to(State.ACCEPTED, why, at=now)
        case Reaction.RETRY:
            return _retry(sent, outcome, now, to(State.ACCEPTED, why))


def look_again_at(sent: Sent, now: datetime) -> datetime:
    """When to find out what became of an unknown outcome: soon where a repeat is safe, else after the settle time.

    Each look waits half as long again as the message has been in doubt, at most `LONGEST_DOUBT`.
    """
    settle_time = settings().unknown_settle_seconds
    first = min(settle_time, REPEAT_SECONDS) if provider(sent.route.provider).idempotent else settle_time
    doubted = (now - sent.opened_at).total_seconds() / 2 if sent.opened_at else 0.0
    return now + timedelta(seconds=min(max(first, doubted), LONGEST_DOUBT) * random.uniform(1.0, 1.2))


def _retry(sent: Sent, outcome: Outcome, now: datetime, step: Move) -> Move:
    """Later, on any route; when tries or lifetime are used up, at once on another one where the message is urgent."""
    at = retry_at(sent.type, sent.tries, now, retry_after=outcome.retry_after)
    if sent.tries < sent.type.retries and at < sent.expires_at:
        return replace(step, deliver_after=at, tried=True)
    if sent.type.urgency in {Urgency.CRITICAL, Urgency.URGENT}:
        return replace(step, deliver_after=now)
    return replace(step, target=State.DEAD, reason="retries_exhausted")


def _letter(sent: Sent, step: Move, outcome: Outcome) -> Letter:
    return Letter(
        notification_id=sent.notification_id,
        reason=step.reason,
        error_class=outcome.error_class or "",
        attempts=sent.tries + 1,
    )


def _closed(sent: Sent, outcome: Outcome) -> ClosedAttempt:
    return ClosedAttempt(
        id=sent.attempt_id,
        outcome=outcome.kind,
        reference=outcome.reference,
        code=outcome.code,
        error_class=outcome.error_class,
        detail=outcome.detail,
        closes=closes(outcome),
        units=outcome.units or None,
        cost=outcome.price,
    )


def _cost(sent: Sent, outcome: Outcome) -> Decimal:
    """The provider's price, else the estimate, for as many units as the provider says that it was."""
    if outcome.price is not None:
        return outcome.price
    if outcome.units in {None, sent.units}:
        return sent.cost_estimate
    return sent.cost_estimate * (outcome.units or sent.units) / max(1, sent.units)


_FACT_KINDS = {OutcomeKind.ACCEPTED: "sent", OutcomeKind.REFUSED_FOR_GOOD: "failed"}


def _facts(sent: Sequence[Sent], outcomes: Mapping[UUID, Outcome], now: datetime) -> list[Fact]:
    return [
        Fact(
            at=now,
            kind=_FACT_KINDS[outcome.kind],
            channel=each.route.channel,
            provider=each.route.provider,
            notification_id=each.notification_id,
            attempt_id=each.attempt_id,
            user_id=each.user_id,
            message_type=each.type.name,
            code=outcome.code,
            error_class=outcome.error_class or "",
            domain=each.domain,
            price=_cost(each, outcome) if outcome.kind is OutcomeKind.ACCEPTED else None,
        )
        for each in sent
        if (outcome := outcomes[each.attempt_id]).kind in _FACT_KINDS
    ]


def _protect(connection: Connection, sent: Sequence[Sent], outcomes: Mapping[UUID, Outcome]) -> None:
    """Suppress and revoke where the provider's table says so."""
    protect_refused(
        connection,
        [
            Refusal(
                user_id=each.user_id,
                channel=each.route.channel,
                address_index=each.address_index,
                provider=each.route.provider,
                code=outcome.code,
                suppress=outcome.suppress_address,
                revoke=outcome.revoke_consent,
            )
            for each in sent
            if (outcome := outcomes[each.attempt_id]).suppress_address or outcome.revoke_consent
        ],
    )
