"""From outcomes to the ledger: attempts closed, states moved, side effects written, in one transaction."""

import logging
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
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
from delivery.ledger import Answer, Ending, Letter
from delivery.messages import LEASE_OVER, Outcome
from delivery.providers import provider
from delivery.reactions import Reaction, closes, reaction, retry_at
from delivery.refusals import Refusal, protect_refused
from delivery.routing import Route

log = logging.getLogger(__name__)

REPEAT_SECONDS = 5
LONGEST_DOUBT = 600.0


@value(frozen=True, slots=True)
class Sent:
    """An attempt that a provider is called for, with what the settlement must know of it."""

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
    evidence: Mapping[str, Any] | None = None
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
    said = [(each, outcomes[each.attempt_id]) for each in sent]
    endings = _endings(said, now)
    closed, moved = ledger.end(connection, endings, at=now, resolved_by=resolved_by)
    if len(moved) < len(endings):
        stayed = {each.notification_id for each in endings} - {each.notification_id for each in moved}
        ledger.complete_late(
            connection,
            [e for e in closed if e.notification_id in stayed and e.answer.outcome is OutcomeKind.ACCEPTED],
        )
    if dead := [each for each in moved if each.answer.target is State.DEAD]:
        tries = {each.notification_id: each.tries for each in sent}
        ledger.bury(connection, [_letter(each, tries[each.notification_id]) for each in dead])
    if telling := [
        _refusal(each, outcome)
        for each, outcome in said
        if outcome.suppress_address or outcome.revoke_consent
    ]:
        fresh = {each.attempt_id for each in closed}
        protect_refused(connection, [refusal for attempt_id, refusal in telling if attempt_id in fresh])
    return Settled(
        moved={each.notification_id: each.answer.target for each in moved},
        again={
            each.notification_id: Route(told.channel, told.provider)
            for each in moved
            if (told := each.answer).target is State.ACCEPTED and told.deliver_after == now
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


@value(frozen=True, slots=True)
class _Step:
    """Where a notification goes after an attempt."""

    target: State
    reason: str = ""
    at: datetime | None = None
    tried: bool = False


_SENT = _Step(State.SENT)


def _endings(said: Sequence[tuple[Sent, Outcome]], now: datetime) -> list[Ending]:
    """One per attempt; those of taken messages that were billed alike share their answer."""
    alike: dict[tuple[object, ...], Answer] = {}
    endings = []
    for sent, outcome in said:
        if outcome.kind is OutcomeKind.ACCEPTED:
            likeness = (
                outcome.code, outcome.error_class, outcome.detail, outcome.units, outcome.price, sent.route.channel,
                sent.route.provider, sent.type.name, sent.units, sent.cost_estimate,
            )  # fmt: skip
            if (answer := alike.get(likeness)) is None:
                answer = alike[likeness] = _answer(sent, outcome, now)
        else:  # each waits for a time of its own
            answer = _answer(sent, outcome, now)
        endings.append(
            Ending(
                sent.attempt_id, sent.notification_id, sent.fence, outcome.reference, sent.user_id, sent.domain,
                sent.evidence, answer,
            )
        )  # fmt: skip
    return endings


def _answer(sent: Sent, outcome: Outcome, now: datetime) -> Answer:
    step = _step(sent, outcome, now)
    return Answer(
        outcome=outcome.kind,
        code=outcome.code,
        error_class=outcome.error_class or "",
        detail=outcome.detail,
        closes=closes(outcome),
        units=outcome.units or None,
        charged=outcome.price,
        target=step.target,
        reason=step.reason,
        deliver_after=step.at,
        tried=step.tried,
        channel=sent.route.channel,
        provider=sent.route.provider,
        kind=_EVENTS.get(outcome.kind, ""),
        message_type=sent.type.name,
        price=_cost(sent, outcome) if step.target is State.SENT else None,
    )


def _step(sent: Sent, outcome: Outcome, now: datetime) -> _Step:
    why = outcome.code or str(outcome.kind)
    if outcome.code == LEASE_OVER.code:
        return _Step(State.ACCEPTED, at=now + timedelta(seconds=1))
    match reaction(outcome, sent.type):
        case Reaction.DONE:
            return _SENT
        case Reaction.AWAIT_RECEIPT:
            return _Step(State.UNKNOWN, why, look_again_at(sent, now))
        case Reaction.DEAD_LETTER:
            return _Step(State.DEAD, why)
        case Reaction.NEXT_ROUTE:
            return _Step(State.ACCEPTED, why, now)
        case Reaction.RETRY:
            return _retry(sent, outcome, now, why)


def look_again_at(sent: Sent, now: datetime) -> datetime:
    """When to find out what became of an unknown outcome: soon where a repeat is safe, else after the settle time.

    Each look waits half as long again as the message has been in doubt, at most `LONGEST_DOUBT`.
    """
    settle_time = settings().unknown_settle_seconds
    first = min(settle_time, REPEAT_SECONDS) if provider(sent.route.provider).idempotent else settle_time
    doubted = (now - sent.opened_at).total_seconds() / 2 if sent.opened_at else 0.0
    return now + timedelta(seconds=min(max(first, doubted), LONGEST_DOUBT) * random.uniform(1.0, 1.2))


def _retry(sent: Sent, outcome: Outcome, now: datetime, why: str) -> _Step:
    """Later, on any route; when tries or lifetime are used up, at once on another one where the message is urgent."""
    at = retry_at(sent.type, sent.tries, now, retry_after=outcome.retry_after)
    if sent.tries < sent.type.retries and at < sent.expires_at:
        return _Step(State.ACCEPTED, why, at, tried=True)
    if sent.type.urgency in {Urgency.CRITICAL, Urgency.URGENT}:
        return _Step(State.ACCEPTED, why, now)
    return _Step(State.DEAD, "retries_exhausted")


def _letter(ending: Ending, tries: int) -> Letter:
    return Letter(
        notification_id=ending.notification_id,
        reason=ending.answer.reason,
        error_class=ending.answer.error_class,
        attempts=tries + 1,
    )


def _cost(sent: Sent, outcome: Outcome) -> Decimal:
    """The provider's price, else the estimate, for as many units as the provider says that it was."""
    if outcome.price is not None:
        return outcome.price
    if outcome.units in {None, sent.units}:
        return sent.cost_estimate
    return sent.cost_estimate * (outcome.units or sent.units) / max(1, sent.units)


_EVENTS: Mapping[OutcomeKind, str] = {OutcomeKind.ACCEPTED: "sent", OutcomeKind.REFUSED_FOR_GOOD: "failed"}
"""Outcome → the delivery event that tells of it."""


def _refusal(sent: Sent, outcome: Outcome) -> tuple[UUID, Refusal]:
    """The attempt, and what its refusal says of the address and the consent."""
    return sent.attempt_id, Refusal(
        user_id=sent.user_id,
        channel=sent.route.channel,
        address_index=sent.address_index,
        provider=sent.route.provider,
        code=outcome.code,
        suppress=outcome.suppress_address,
        revoke=outcome.revoke_consent,
    )
