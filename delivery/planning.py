"""Deciding, for a loaded batch, what happens to each notification: sent on a route, deferred, skipped, or given up.

Channels are tried in the type's order: a Skip on one lets the next one be judged; a Defer or an Allow ends the search.
"""

import random
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from uuid import UUID

from core.errors import InvalidRequest
from core.settings import settings
from core.values import value
from core.vocabulary import Channel
from delivery import digests, pumping, routing
from delivery.catalog import MessageType
from delivery.health import Health
from delivery.loading import Batch, ContactPoint, Work
from delivery.policies import judge
from delivery.policies.base import Candidate, Verdict, VerdictKind
from delivery.policies.reasons import Reason
from delivery.rendering import render_for
from delivery.routing import Route
from delivery.throttle import Spender

PROVIDER_PAUSE = timedelta(seconds=10)


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
class _Search:
    work: Work
    channels: list[Channel]
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
    health = dict(health)
    searching = [
        _Search(work, routing.open_channels(work.type, batch.past.get(work.id, ()))) for work in batch.work
    ]
    while searching:
        candidates: list[tuple[_Search, Route, ContactPoint, Candidate]] = []
        nowhere: list[_Search] = []
        for search in searching:
            found = _next_channel(search, batch, providers, health, avoid.get(search.work.id, frozenset()))
            if found is None:
                nowhere.append(search)
            else:
                candidates.append((search, *found, _candidate(batch, search.work, found, now)))
        for search in nowhere:
            refused = any(past.closes in {"route", "channel"} for past in batch.past.get(search.work.id, ()))
            _give_up(search, plan, now, refused=refused)
        verdicts = judge([candidate for *_, candidate in candidates], batch.facts, now, spend)
        searching = []
        for (search, route, contact_point, _), verdict in zip(candidates, verdicts, strict=True):
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


def _next_channel(
    search: _Search,
    batch: Batch,
    providers: Mapping[Channel, Sequence[str]],
    health: dict[str, Health],
    avoid: AbstractSet[Route],
) -> tuple[Route, ContactPoint] | None:
    past = batch.past.get(search.work.id, ())
    while search.channels:
        channel = search.channels.pop(0)
        if not search.work.type.allows(channel):
            search.skips[channel] = Verdict.skip(Reason.CHANNEL_FORBIDDEN, channel=str(channel))
            continue
        contact_point = batch.contact_points.get((search.work.claimed.user_id, channel))
        if contact_point is None:
            search.skips[channel] = Verdict.skip(Reason.NO_CONTACT_POINT, channel=str(channel))
            continue
        if not _on_the_allow_list(contact_point):
            search.skips[channel] = Verdict.skip("recipient_not_allowed", channel=str(channel))
            continue
        all_open = routing.open_routes(channel, providers, past)
        routes = [each for each in all_open if each not in avoid]
        search.just_failed = search.just_failed or len(routes) < len(all_open)
        route = routing.healthy(routes, health)
        if route is None:
            search.down = search.down or bool(routes)
            continue
        if health.get(route.provider) is Health.PROBE:
            health[route.provider] = Health.DOWN  # the probe is one message: this one
        return route, contact_point
    return None


def _give_up(search: _Search, plan: Plan, now: datetime, *, refused: bool) -> None:
    if search.down:
        pause = PROVIDER_PAUSE * random.uniform(0.5, 1.5)
        plan.wait.append((search.work, Verdict.defer(now + pause, "provider_unavailable")))
    elif search.just_failed:
        plan.retry.append(search.work)
    elif (skip := search.skip()) is not None and not refused:
        plan.skip.append((search.work, skip))
    else:
        plan.failed.append(search.work)


def _candidate(batch: Batch, work: Work, place: tuple[Route, ContactPoint], now: datetime) -> Candidate:
    route, contact_point = place
    pace = settings().provider_paces.get(route.provider, 0)
    return candidate_for(
        work.type,
        work.claimed.user_id,
        contact_point,
        notification_id=work.id,
        now=work.claimed.created_at,
        expires_at=work.claimed.expires_at,
        is_digest=digests.GATHERED in work.payload,
        amount=_amount(work.payload.get("amount")),
        block=pumping.block(contact_point.address())
        if pumping.paced(contact_point.channel, contact_point.country)
        else "",
        provider=route.provider,
        pace=pace,
        units=_units(batch, work, route.channel, now) if pace else 1,
    )


def candidate_for(
    row: MessageType,
    user_id: str,
    contact_point: ContactPoint,
    *,
    notification_id: UUID,
    now: datetime,
    expires_at: datetime | None = None,
    is_digest: bool = False,
    amount: Decimal | None = None,
    block: str = "",
    provider: str = "",
    pace: int = 0,
    units: int = 1,
) -> Candidate:
    """A message of type `row`, accepted at `now`, as policies see it; `pace` is the provider's, in units a minute."""
    return Candidate(
        notification_id=notification_id,
        user_id=user_id,
        type=row,
        channel=contact_point.channel,
        created_at=now,
        expires_at=expires_at or now + row.lifetime,
        address_index=contact_point.address_index,
        country=contact_point.country,
        region=contact_point.region,
        zones=contact_point.zones,
        is_digest=is_digest,
        amount=amount,
        units=units,
        jitter=(notification_id.int & 0xFFFF) / 0x10000,
        block=block,
        provider=provider,
        provider_units_per_minute=pace,
    )


def _units(batch: Batch, work: Work, channel: Channel, now: datetime) -> int:
    """What the message will be billed for; one that can't be rendered is found out, and told, when it is prepared."""
    try:
        return render_for(batch, work, channel, now).units
    except InvalidRequest:
        return 1


def _amount(value: object) -> Decimal | None:
    try:
        return Decimal(str(value).replace(",", "")) if value is not None else None
    except InvalidOperation:
        return None


def _on_the_allow_list(contact_point: ContactPoint) -> bool:
    allowed = settings().recipients_allowed
    if not allowed:
        return True
    address = contact_point.address()
    return address in allowed or f"@{address.rpartition('@')[2]}" in allowed
