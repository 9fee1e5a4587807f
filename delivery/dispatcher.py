"""deliver(ids): claim → judge → render → open attempts → transmit → settle. The story, nothing else.

One notification is a batch of one. No database connection is held while a provider is called; the intent to call is
committed before, the outcome after. What dies in between is found again by `delivery.recovery`.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from core.clock import utc_now
from core.database import transaction
from core.errors import InvalidRequest
from core.settings import settings
from core.vocabulary import ErrorClass, State
from delivery import health, ledger, throttle
from delivery.ledger import Claimed, Move
from delivery.loading import Work, load
from delivery.planning import Plan, make_plan
from delivery.policies.base import Verdict
from delivery.providers import configured
from delivery.reactions import retry_at
from delivery.recovery import KILLS_ITS_WORKER, bury_poison
from delivery.routing import Route
from delivery.settlement import Sent, health_of, settle
from delivery.transmission import Prepared, prepare, transmit

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Report:
    """What became of the ids of one call: id → (state, reason). Ids that were not ours to claim are absent."""

    states: dict[UUID, tuple[State, str]] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """state → how many."""
        found: dict[str, int] = defaultdict(int)
        for state, _ in self.states.values():
            found[state] += 1
        return dict(found)


def deliver(ids: Collection[UUID]) -> Report:
    """Bring these notifications as far as they can come now; safe to call with the same ids any number of times."""
    report = Report()
    avoid: dict[UUID, set[Route]] = defaultdict(set)
    pending = list(dict.fromkeys(ids))
    while pending:
        again = _one_pass(pending, avoid, report)
        for notification_id, route in again.items():
            avoid[notification_id].add(route)
        pending = list(again)
    if report.states:
        log.info("delivered", extra={"counts": report.counts()})
    return report


def _one_pass(ids: Sequence[UUID], avoid: Mapping[UUID, set[Route]], report: Report) -> Mapping[UUID, Route]:
    now = utc_now()
    deadline = time.monotonic() + settings().lease_seconds * 0.8
    providers = configured(settings())
    standing = health.of({name for names in providers.values() for name in names})
    with transaction() as connection:
        claimed = ledger.claim(connection, ids, lease_seconds=settings().lease_seconds)
        healthy = _without_poison(connection, claimed, report)
        if not healthy:
            return {}
        batch = load(connection, healthy, now)
        plan = make_plan(
            batch, now=now, providers=providers, health=standing, avoid=avoid, spend=throttle.spend
        )
        prepared, broken = prepare(batch, plan.send, now=now)
        _write_plan(connection, plan, broken, now, report)
        ledger.open_attempts(connection, [each.attempt for each in prepared])
    if not prepared:
        return {}
    return _call_and_settle(prepared, deadline, report)


def _call_and_settle(prepared: Sequence[Prepared], deadline: float, report: Report) -> Mapping[UUID, Route]:
    outcomes = transmit(
        [(each.planned.route.provider, each.transmission) for each in prepared], deadline=deadline
    )
    sent = [_sent(each) for each in prepared]
    good_and_bad, misconfigured = health_of(sent, outcomes)
    health.record(good_and_bad, misconfigured=misconfigured)
    with transaction() as connection:
        settled = settle(connection, sent, outcomes, now=utc_now(), resolved_by="answer")
    for notification_id, state in settled.moved.items():
        report.states[notification_id] = (state, "")
    return settled.again


def _without_poison(connection: Connection, claimed: Sequence[Claimed], report: Report) -> list[Claimed]:
    """Those that did not kill their workers again and again; the others go to the dead letters, once and for all."""
    limit = settings().claims_before_dead
    poison = {each.id for each in claimed if each.claims > limit}
    if poison:
        bury_poison(connection, poison)
        report.states.update(dict.fromkeys(poison, (State.DEAD, KILLS_ITS_WORKER)))
        log.error("poison_buried", extra={"notifications": [str(each) for each in poison]})
    return [each for each in claimed if each.id not in poison]


def _write_plan(
    connection: Connection,
    plan: Plan,
    broken: Sequence[tuple[Work, InvalidRequest]],
    now: datetime,
    report: Report,
) -> None:
    moves: list[Move] = []
    letters: list[tuple[UUID, str, str, int, str]] = []
    for work, verdict in plan.wait:
        moves.append(_verdict_move(work, State.ACCEPTED, verdict))
    for work, verdict in plan.skip:
        moves.append(_verdict_move(work, State.SKIPPED, verdict))
    for work, error in broken:
        reason = f"render_failed: {error.field}"
        moves.append(Move(id=work.id, fence=work.claimed.fence, target=State.DEAD, reason=reason))
        letters.append((work.id, reason, ErrorClass.OURS, work.claimed.tries, ""))
    for work in plan.retry:
        moves.append(step := _retry_move(work, now))
        if step.target is State.DEAD:
            letters.append((work.id, step.reason, ErrorClass.TRANSIENT_NETWORK, work.claimed.tries, ""))
    moves += [
        Move(id=work.id, fence=work.claimed.fence, target=State.FAILED, reason="no_route_left")
        for work in plan.failed
    ]
    ledger.move(connection, moves)
    ledger.bury(connection, letters)
    report.states.update({each.id: (each.target, each.reason) for each in moves})


def _verdict_move(work: Work, target: State, verdict: Verdict) -> Move:
    return Move(
        id=work.id,
        fence=work.claimed.fence,
        target=target,
        reason=verdict.reason,
        deliver_after=verdict.until,
        evidence=dict(verdict.evidence),
    )


def _retry_move(work: Work, now: datetime) -> Move:
    """Wait for the routes that stumbled, as long as retries and lifetime last."""
    at = retry_at(work.type, work.claimed.tries, now, retry_after=None)
    lasting = work.claimed.tries < work.type.retries and at < work.claimed.expires_at
    return Move(
        id=work.id,
        fence=work.claimed.fence,
        target=State.ACCEPTED if lasting else State.DEAD,
        reason="retry" if lasting else "retries_exhausted",
        deliver_after=at if lasting else None,
        tried=lasting,
    )


def _sent(prepared: Prepared) -> Sent:
    planned = prepared.planned
    return Sent(
        attempt_id=prepared.attempt.id,
        notification_id=planned.work.id,
        user_id=planned.work.claimed.user_id,
        type=planned.work.type,
        fence=planned.work.claimed.fence,
        tries=planned.work.claimed.tries,
        route=planned.route,
        units=prepared.attempt.units,
        domain=planned.contact_point.domain,
        address_index=planned.contact_point.address_index,
        expires_at=planned.work.claimed.expires_at,
        evidence=dict(planned.verdict.evidence),
    )
