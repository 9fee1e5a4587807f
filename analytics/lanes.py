"""The lanes as a queueing system: what waits, how fast it comes and goes, when it will be gone, who should work on it.

Postgres knows what waits (`read_lanes`), the broker what it carries; both enter a `Sample`, and samples in a row give
rates, a forecast and the wanted concurrency.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from analytics.queueing import Reading, flow_of, seconds_to_drain, wanted_concurrency
from core.ids import first_id
from core.statements import insert_rows, rows
from core.vocabulary import Lane

LOOK_BACK = timedelta(hours=1)
CLAIMS_LAST = timedelta(minutes=10)
"""Attempts older than this, opened before the last sample, have closed before it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLimits:
    """What a lane promises: alarm above `oldest_seconds` of waiting, `drain_seconds` of forecast or `depth`.

    `least` and `most` bound the concurrency that the forecast may ask for.
    """

    oldest_seconds: float
    drain_seconds: float
    depth: int
    least: int
    most: int


LIMITS: Mapping[Lane, LaneLimits] = {
    Lane.SMS_CRITICAL: LaneLimits(oldest_seconds=30, drain_seconds=60, depth=500, least=16, most=64),
    Lane.SMS_DAILY: LaneLimits(oldest_seconds=900, drain_seconds=1800, depth=50_000, least=2, most=32),
    Lane.EMAIL_REPORTS: LaneLimits(oldest_seconds=3600, drain_seconds=7200, depth=200_000, least=2, most=16),
    Lane.EMAIL_EDUCATION: LaneLimits(
        oldest_seconds=7200, drain_seconds=14_400, depth=500_000, least=1, most=16
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A lane in Postgres: due now, due later, claimed; the age of the oldest due; what came and was served since."""

    due: int
    later: int
    claimed: int
    oldest_seconds: float
    arrived: int
    served: int
    service_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A lane at one moment. `queued` and `unacknowledged` are queue messages (of one to some hundred ids each);
    `arrived` and `served` are counters that only grow.
    """

    at: datetime
    lane: Lane
    queued: int
    unacknowledged: int
    due: int
    later: int
    claimed: int
    oldest_seconds: float
    arrived: int
    served: int
    arrivals_per_second: float | None
    services_per_second: float | None
    drain_seconds: float | None
    concurrency: int
    wanted: int

    @property
    def depth(self) -> int:
        """Notifications that should be gone by now and are not."""
        return self.due + self.claimed

    def exceeded(self) -> list[str]:
        """Sentences, one per limit that the lane breaks; [] when all is well."""
        limits = LIMITS[self.lane]
        drain = self.drain_seconds if self.depth else 0.0
        found = (
            (self.oldest_seconds, limits.oldest_seconds, "the oldest has waited {:,.0f} s (limit {:,.0f})"),
            (self.depth, limits.depth, "{:,.0f} are waiting (limit {:,.0f})"),
            (drain or 0.0, limits.drain_seconds, "the backlog needs {:,.0f} s to drain (limit {:,.0f})"),
        )
        broken = [text.format(value, limit) for value, limit, text in found if value > limit]
        return [*broken, "nobody works on it"] if self.depth and not self.concurrency else broken


# Ids are UUIDs of version 7: their order is the order of time, so the primary key finds what is new.
WAITING = """
WITH waiting AS (
    SELECT lane, count(*) FILTER (WHERE state = 'accepted' AND deliver_after <= %(now)s) AS due,
        count(*) FILTER (WHERE state = 'accepted' AND deliver_after > %(now)s) AS later,
        count(*) FILTER (WHERE state = 'claimed') AS claimed,
        extract(epoch FROM %(now)s - min(deliver_after) FILTER (WHERE state = 'accepted' AND deliver_after <= %(now)s))
            AS oldest
    FROM notifications WHERE state IN ('accepted', 'claimed') GROUP BY lane
), arrived AS (
    SELECT lane, count(*) AS arrived FROM notifications
    WHERE id >= %(since_id)s::uuid AND id < %(now_id)s::uuid GROUP BY lane
), calls AS (
    SELECT n.lane, a.opened_at, count(*) AS tries, count(*) FILTER (WHERE a.closed_at > %(since)s) AS served,
        extract(epoch FROM max(a.closed_at) - a.opened_at) AS seconds
    FROM attempts a JOIN notifications n ON n.id = a.notification_id
    WHERE a.id >= %(calls_id)s::uuid AND a.id < %(now_id)s::uuid AND a.closed_at <= %(now)s GROUP BY n.lane, a.opened_at
), served AS (
    SELECT lane, sum(served) AS served, sum(seconds) / sum(tries) AS service_seconds FROM calls GROUP BY lane
)
SELECT lane, coalesce(due, 0), coalesce(later, 0), coalesce(claimed, 0), coalesce(oldest, 0)::float8,
    coalesce(arrived, 0), coalesce(served, 0)::bigint, service_seconds::float8
FROM unnest(%(lanes)s) AS lane LEFT JOIN waiting USING (lane) LEFT JOIN arrived USING (lane) LEFT JOIN served USING (lane)
"""
HISTORY = """
SELECT lane, at, due + claimed, arrived, served FROM queue_samples WHERE at >= %s AND at < %s ORDER BY at
"""


def read_lanes(connection: Connection, *, since: datetime, now: datetime) -> dict[Lane, Waiting]:
    """Every lane at `now`, with what came and was served after `since`."""
    found = rows(
        connection,
        WAITING,
        {
            "lanes": [str(lane) for lane in Lane], "since": since, "now": now, "since_id": str(first_id(since)),
            "calls_id": str(first_id(since - CLAIMS_LAST)), "now_id": str(first_id(now)),
        },
    )  # fmt: skip
    return {
        Lane(lane): Waiting(
            due=due, later=later, claimed=claimed, oldest_seconds=oldest, arrived=arrived, served=served,
            service_seconds=seconds,
        )
        for lane, due, later, claimed, oldest, arrived, served, seconds in found
    }  # fmt: skip


def readings(connection: Connection, *, now: datetime) -> dict[Lane, list[Reading]]:
    """The samples of the last hour, oldest first."""
    past: dict[Lane, list[Reading]] = {lane: [] for lane in Lane}
    for lane, at, depth, arrived, served in rows(connection, HISTORY, (now - LOOK_BACK, now)):
        past[Lane(lane)].append(Reading(at=at, depth=depth, arrived=arrived, served=served))
    return past


def assess(
    lane: Lane,
    waiting: Waiting,
    past: Sequence[Reading],
    *,
    now: datetime,
    queued: int,
    unacknowledged: int,
    concurrency: int,
) -> Sample:
    """The sample of one lane: rates over the last hour, the forecast, and the concurrency that Little's law wants."""
    arrived = waiting.arrived + (past[-1].arrived if past else 0)
    served = waiting.served + (past[-1].served if past else 0)
    depth = waiting.due + waiting.claimed
    flow = flow_of([*past, Reading(at=now, depth=depth, arrived=arrived, served=served)])
    limits = LIMITS[lane]
    wanted, drain = max(limits.least, min(concurrency or limits.least, limits.most)), None
    if flow is not None and waiting.service_seconds is not None:
        wanted = wanted_concurrency(
            depth=depth, arrivals=flow.arrivals, service_seconds=waiting.service_seconds, least=limits.least,
            most=limits.most, drain_seconds=limits.drain_seconds / 2,
        ).wanted  # fmt: skip
        capacity = concurrency / waiting.service_seconds if waiting.service_seconds > 0 else math.inf
        forecast = seconds_to_drain(depth, flow.arrivals, capacity)
        drain = forecast if math.isfinite(forecast) else None
    return Sample(
        at=now, lane=lane, queued=queued, unacknowledged=unacknowledged, due=waiting.due, later=waiting.later,
        claimed=waiting.claimed, oldest_seconds=round(waiting.oldest_seconds, 3), arrived=arrived, served=served,
        arrivals_per_second=flow.arrivals if flow else None, services_per_second=flow.services if flow else None,
        drain_seconds=drain, concurrency=concurrency, wanted=wanted,
    )  # fmt: skip


def keep_samples(connection: Connection, samples: Sequence[Sample]) -> None:
    """Adds the samples to the performance history; a repetition of the same moment replaces nothing."""
    insert_rows(
        connection,
        "INSERT INTO queue_samples (at, lane, queued, unacknowledged, due, later, claimed, oldest_seconds, arrived, served,"
        " arrivals_per_second, services_per_second, drain_seconds, concurrency, wanted) VALUES %s ON CONFLICT DO NOTHING",
        [
            (
                s.at, s.lane, s.queued, s.unacknowledged, s.due, s.later, s.claimed, s.oldest_seconds, s.arrived,
                s.served, s.arrivals_per_second, s.services_per_second, s.drain_seconds, s.concurrency, s.wanted,
            )
            for s in samples
        ],
    )  # fmt: skip
