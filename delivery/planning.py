"""Deciding, for a loaded batch, what happens to each notification: sent on a route, deferred, skipped, or given up.

Channels are tried in the type's order: a Skip on one lets the next one be judged; a Defer or an Allow ends the search.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from core.settings import settings
from core.values import value
from core.vocabulary import Channel
from delivery import candidates, routing
from delivery.health import Health
from delivery.loading import Batch, ContactPoint, PastAttempt, Work
from delivery.policies import judge
from delivery.policies.base import Verdict, VerdictKind
from delivery.policies.reasons import Reason
from delivery.routing import Route
from delivery.throttle import Spender

PROVIDER_PAUSE = timedelta(seconds=10)
_NO_ROUTES: frozenset[Route] = frozenset()


@value(frozen=True, slots=True)
class Planned:
    """A notification that will be sent on `route` to `contact_point`, because of `verdict`."""

    work: Work
    route: Route
    contact_point: ContactPoint
    verdict: Verdict


@dataclass(slots=True)
class Plan:
    """What becomes of each notification of a batch; every one stands in exactly one list."""

    send: list[Planned] = field(default_factory=list)
    wait: list[tuple[Work, Verdict]] = field(default_factory=list)
    skip: list[tuple[Work, Verdict]] = field(default_factory=list)
    gather: list[tuple[Work, Channel, Verdict]] = field(default_factory=list)
    """What goes into a digest, on the channel that it would have gone by."""
    retry: list[Work] = field(default_factory=list)
    """Every open route has just failed in a way that may pass."""
    failed: list[Work] = field(default_factory=list)
    """Every route has refused for good."""


@dataclass(slots=True)
class _Given:
    """What holds for every message of a plan, looked up once."""

    contact_points: Mapping[tuple[str, Channel], ContactPoint]
    routes: Mapping[Channel, Sequence[Route]]
    health: dict[str, Health]
    """Changes while the plan is made: a probe is handed out once."""
    recipients_allowed: Collection[str]


@dataclass(slots=True)
class _Search:
    work: Work
    past: Sequence[PastAttempt]
    avoid: AbstractSet[Route]
    channels: list[Channel]
    """Those that have not been looked at yet, in the type's order."""
    skips: dict[Channel, Verdict] = field(default_factory=dict)
    """Why the channels tried so far are not to be used."""
    down: bool = False
    just_failed: bool = False

    def told(self, verdict: Verdict) -> Verdict:
        """The verdict, with what spoke against the channels tried before in its evidence."""
        if not self.skips:
            return verdict
        before = {str(channel): skip.reason for channel, skip in self.skips.items()}
        return replace(verdict, evidence={**verdict.evidence, "passed_over": before})

    def skip(self) -> Verdict | None:
        """The verdict when no channel is left: one that says more than that there is no address, where there is one."""
        telling = [each for each in self.skips.values() if each.reason != Reason.NO_CONTACT_POINT]
        chosen = next(iter(telling or self.skips.values()), None)
        return chosen if chosen is None or len(self.skips) == 1 else self.told(chosen)


def make_plan(
    batch: Batch,
    *,
    now: datetime,
    providers: Mapping[Channel, Sequence[str]],
    health: Mapping[str, Health],
    avoid: Mapping[UUID, AbstractSet[Route]],
    spend: Spender,
) -> Plan:
    """The plan of a batch; `avoid` are routes that failed a moment ago, `spend` takes the rate tokens."""
    plan = Plan()
    paces = settings().provider_paces
    given = _Given(
        contact_points=batch.contact_points,
        routes=routing.all_routes(providers),
        health=dict(health),
        recipients_allowed=settings().recipients_allowed,
    )
    searching = [_search(work, batch, avoid) for work in batch.work]
    while searching:
        found: list[tuple[_Search, Route, ContactPoint]] = []
        for search in searching:
            way = _next_channel(search, given)
            if way is None:
                _give_up(search, plan, now)
            else:
                found.append((search, *way))
        judged = [
            candidates.candidate_of(
                batch, search.work, place, provider=route.provider, pace=paces.get(route.provider, 0), now=now
            )
            for search, route, place in found
        ]
        verdicts = judge(judged, batch.facts, now, spend)
        searching = []
        for (search, route, contact_point), verdict in zip(found, verdicts, strict=True):
            if verdict.kind is VerdictKind.ALLOW:
                plan.send.append(Planned(search.work, route, contact_point, search.told(verdict)))
            elif verdict.kind is VerdictKind.DEFER:
                plan.wait.append((search.work, search.told(verdict)))
            elif verdict.reason == Reason.IN_DIGEST:
                plan.gather.append((search.work, route.channel, search.told(verdict)))
            else:
                search.skips[route.channel] = verdict
                searching.append(search)
    return plan


def _search(work: Work, batch: Batch, avoid: Mapping[UUID, AbstractSet[Route]]) -> _Search:
    # Both are empty for most batches, and a UUID's hash is Python: it is taken only where there is something to find.
    past = batch.past.get(work.id, ()) if batch.past else ()
    failed = avoid.get(work.id, _NO_ROUTES) if avoid else _NO_ROUTES
    return _Search(work, past, failed, routing.open_channels(work.type, past))


def _next_channel(search: _Search, given: _Given) -> tuple[Route, ContactPoint] | None:
    while search.channels:
        channel = search.channels.pop(0)
        if not search.work.type.allows(channel):
            search.skips[channel] = Verdict.skip(Reason.CHANNEL_FORBIDDEN, channel=str(channel))
            continue
        contact_point = given.contact_points.get((search.work.claimed.user_id, channel))
        if contact_point is None:
            search.skips[channel] = Verdict.skip(Reason.NO_CONTACT_POINT, channel=str(channel))
            continue
        if given.recipients_allowed and not _is_among(given.recipients_allowed, contact_point):
            search.skips[channel] = Verdict.skip("recipient_not_allowed", channel=str(channel))
            continue
        all_open = routing.open_routes(given.routes.get(channel, ()), search.past)
        routes = [each for each in all_open if each not in search.avoid] if search.avoid else all_open
        search.just_failed = search.just_failed or len(routes) < len(all_open)
        route = routing.healthy(routes, given.health)
        if route is None:
            search.down = search.down or bool(routes)
            continue
        if given.health.get(route.provider) is Health.PROBE:
            given.health[route.provider] = Health.DOWN  # the probe is one message: this one
        return route, contact_point
    return None


def _give_up(search: _Search, plan: Plan, now: datetime) -> None:
    refused = any(past.closes in {"route", "channel"} for past in search.past)
    if search.down:
        pause = PROVIDER_PAUSE * random.uniform(0.5, 1.5)
        plan.wait.append((search.work, Verdict.defer(now + pause, "provider_unavailable")))
    elif search.just_failed:
        plan.retry.append(search.work)
    elif (skip := search.skip()) is not None and not refused:
        plan.skip.append((search.work, skip))
    else:
        plan.failed.append(search.work)


def _is_among(allowed: Collection[str], contact_point: ContactPoint) -> bool:
    address = contact_point.address()
    return address in allowed or f"@{address.rpartition('@')[2]}" in allowed
