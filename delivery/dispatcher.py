"""deliver(ids): claim → judge → render → open attempts → transmit → settle. The story, nothing else.

One notification is a batch of one. No database connection is held while a provider is called; the claim and the intent
to call are committed before, the outcome after. What dies in between is found again by `delivery.recovery`.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from core.clock import utc_now
from core.crash_points import crash_point
from core.database import autocommitting, transaction
from core.settings import settings
from core.stopping import is_stopping
from core.vocabulary import State
from delivery import health, ledger, retry_budget, throttle
from delivery.catalog import message_type
from delivery.holding import KILLS_ITS_WORKER, given_back_on_error, without_poison
from delivery.ledger import Claimed
from delivery.loading import load
from delivery.plan_writing import write_plan
from delivery.planning import make_plan
from delivery.providers import configured
from delivery.recovery import unpublish
from delivery.routing import Route
from delivery.settlement import health_of, settle_surely
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
    """Bring these notifications as far as they can come now; safe to call with the same ids any number of times.

    In a process that is stopping nothing is claimed: the ids are due again at once, for another worker.
    """
    report = Report()
    avoid: dict[UUID, set[Route]] = defaultdict(set)
    pending = list(dict.fromkeys(ids))
    while pending and not is_stopping():
        again = _one_pass(pending, avoid, report)
        for notification_id, route in again.items():
            avoid[notification_id].add(route)
        pending = list(again)
    if pending:
        unpublish(pending)
    if report.states:
        log.info("delivered", extra={"counts": report.counts()})
    return report


def _one_pass(ids: Sequence[UUID], avoid: Mapping[UUID, set[Route]], report: Report) -> Mapping[UUID, Route]:
    deadline = time.monotonic() + settings().lease_seconds * 0.8
    with autocommitting() as connection:
        claimed = ledger.claim(connection, ids, lease_seconds=settings().lease_seconds)
    healthy = without_poison(claimed)
    poison = {each.id for each in claimed} - {each.id for each in healthy}
    report.states.update(dict.fromkeys(poison, (State.DEAD, KILLS_ITS_WORKER)))
    if not healthy:
        return {}
    for name in {each.message_type for each in healthy}:
        crash_point(f"work_on={name}")
    with given_back_on_error(healthy):
        prepared = _plan_and_open(healthy, avoid, report, deadline)
    if not prepared:
        return {}
    crash_point("before_call")
    return _call_and_settle(prepared, deadline, report)


def _plan_and_open(
    claimed: Sequence[Claimed], avoid: Mapping[UUID, set[Route]], report: Report, deadline: float
) -> list[Prepared]:
    now = utc_now()
    providers = configured(settings())
    channels = {channel for each in claimed for channel in message_type(each.message_type).channels}
    names = {name for channel in channels for name in providers[channel]}
    with health.of(names) as standing, transaction() as connection:
        batch = load(connection, claimed, now)
        if not batch.work:
            return []
        plan = make_plan(
            batch, now=now, providers=providers, health=standing, avoid=avoid, spend=throttle.spend
        )
        retry_budget.apply(plan, now)
        prepared, broken = prepare(batch, plan.send, now=now, deadline=deadline)
        report.states.update(write_plan(connection, batch, plan, broken, now))
        ledger.open_attempts(connection, [each.attempt for each in prepared])
        standing.used({each.sent.route.provider for each in prepared})
    return prepared


def _call_and_settle(prepared: Sequence[Prepared], deadline: float, report: Report) -> Mapping[UUID, Route]:
    outcomes = transmit(
        [(each.sent.route.provider, each.transmission) for each in prepared], deadline=deadline
    )
    crash_point("after_call")
    sent = [each.sent for each in prepared]
    health.record(health_of(sent, outcomes))
    settled = settle_surely(sent, outcomes, resolved_by="answer")
    for notification_id, state in settled.moved.items():
        report.states[notification_id] = (state, "")
    return settled.again
