"""From outcomes to the ledger: attempts closed, states moved, side effects written, in one transaction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from core.vocabulary import Channel, OutcomeKind, Purpose, State, Urgency
from delivery import consents, costs, ledger, suppressions
from delivery.catalog import MessageType
from delivery.consents import ConsentEntry
from delivery.ledger import ClosedAttempt, Fact, Move
from delivery.messages import Outcome
from delivery.reactions import Reaction, closes, reaction, retry_at
from delivery.routing import Route
from delivery.suppressions import SuppressionRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An attempt that a provider was called for, with what the settlement must know of it."""

    attempt_id: UUID
    notification_id: UUID
    user_id: str
    type: MessageType
    fence: int
    tries: int
    route: Route
    units: int
    domain: str
    address_index: bytes
    expires_at: datetime
    evidence: dict[str, Any] | None = None
    """Why it was allowed: rule version and consent row, kept on the notification."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settlement came to: ids by their new state, and those to try on another route now."""

    moved: Mapping[UUID, State]
    again: Mapping[UUID, Route]


def settle(
    connection: Connection,
    sent: Sequence[Sent],
    outcomes: Mapping[UUID, Outcome],
    *,
    now: datetime,
    resolved_by: str,
) -> Settled:
    """Write the outcomes; a notification that was fenced or already receipted keeps its newer state."""
    moves: dict[UUID, Move] = {}
    again: dict[UUID, Route] = {}
    letters: list[tuple[UUID, str, str, int, str]] = []
    for each in sent:
        outcome = outcomes[each.attempt_id]
        moves[each.notification_id] = step = _move(each, outcome, now)
        if step.target is State.ACCEPTED and step.deliver_after == now:
            again[each.notification_id] = each.route
        if step.target is State.DEAD:
            letters.append((each.notification_id, step.reason, outcome.error_class or "", each.tries + 1, ""))
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
    ledger.bury(connection, [letter for letter in letters if letter[0] in moved])
    fresh = [each for each in sent if each.attempt_id in closed]
    ledger.record_facts(connection, _facts(fresh, outcomes, now))
    _side_effects(connection, fresh, outcomes)
    return Settled(
        moved={notification_id: moves[notification_id].target for notification_id in moved},
        again={
            notification_id: route for notification_id, route in again.items() if notification_id in moved
        },
    )


def health_of(
    sent: Sequence[Sent], outcomes: Mapping[UUID, Outcome]
) -> tuple[dict[str, tuple[int, int]], set[str]]:
    """((good, bad) calls per provider, misconfigured providers) for the circuit breaker.

    A refusal of one message is a good call: the provider works.
    """
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    broken: set[str] = set()
    for each in sent:
        outcome = outcomes[each.attempt_id]
        bad = outcome.kind in {OutcomeKind.UNKNOWN, OutcomeKind.RETRY_LATER, OutcomeKind.QUOTA_EXHAUSTED}
        counts[each.route.provider][bad or outcome.misconfigured] += 1
        if outcome.misconfigured or outcome.kind is OutcomeKind.QUOTA_EXHAUSTED:
            broken.add(each.route.provider)
    return {name: (good, bad) for name, (good, bad) in counts.items()}, broken


def _move(sent: Sent, outcome: Outcome, now: datetime) -> Move:
    def to(
        target: State, reason: str = "", *, at: datetime | None = None, cost: Decimal = Decimal(0)
    ) -> Move:
        return Move(
            id=sent.notification_id, fence=sent.fence, target=target, reason=reason, deliver_after=at,
            cost=cost, channel=sent.route.channel, provider=sent.route.provider, evidence=sent.evidence,
        )  # fmt: skip

    why = outcome.code or str(outcome.kind)
    if outcome.code == "lease_over":
        return to(State.ACCEPTED, at=now + timedelta(seconds=1))
    match reaction(outcome, sent.type):
        case Reaction.DONE:
            return to(State.SENT, cost=_cost(sent, outcome))
        case Reaction.AWAIT_RECEIPT:
            return to(State.UNKNOWN, why)
        case Reaction.DEAD_LETTER:
            return to(State.DEAD, why)
        case Reaction.NEXT_ROUTE:
            return to(State.ACCEPTED, why, at=now)
        case Reaction.RETRY:
            return _retry(sent, outcome, now, to(State.ACCEPTED, why))


def _retry(sent: Sent, outcome: Outcome, now: datetime, step: Move) -> Move:
    at = retry_at(sent.type, sent.tries, now, retry_after=outcome.retry_after)
    if sent.tries < sent.type.retries and at < sent.expires_at:
        return replace(step, deliver_after=at, tried=True)
    if sent.type.urgency in {Urgency.CRITICAL, Urgency.URGENT}:
        return replace(step, deliver_after=now)
    return replace(step, target=State.DEAD, reason="retries_exhausted")


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
    return outcome.price if outcome.price is not None else costs.estimate(sent.route.channel, sent.units)


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


def _side_effects(connection: Connection, sent: Sequence[Sent], outcomes: Mapping[UUID, Outcome]) -> None:
    suppressions.suppress(
        connection,
        [
            SuppressionRequest(
                channel=each.route.channel,
                address_index=each.address_index,
                reason=outcomes[each.attempt_id].code,
                source="provider_refusal",
                provider=each.route.provider,
            )
            for each in sent
            if outcomes[each.attempt_id].suppress_address
        ],
    )
    revoked = [each for each in sent if outcomes[each.attempt_id].revoke_consent]
    consents.record(
        connection, [entry for each in revoked for entry in revocation(each.user_id, each.route.channel)]
    )


def revocation(
    user_id: str,
    channel: Channel,
    *,
    source: str = "provider_refusal",
    purposes: AbstractSet[str] | None = None,
) -> list[ConsentEntry]:
    """The ledger rows of an opt-out that covers a whole channel (or `purposes` of it)."""
    return [
        ConsentEntry(
            user_id=user_id, channel=channel, purpose=purpose, granted=False, method="opt_out", source=source,
            actor="user",
        )
        for purpose in Purpose
        if purposes is None or purpose in purposes
    ]  # fmt: skip
