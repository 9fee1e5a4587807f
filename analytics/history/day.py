"""One day of the past: who was sent what and when, what the provider said, and what people and machines did with it.

Times are microseconds since 1970 (int64); NEVER stands for what did not happen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.history.people import Flags, Floats, People
from analytics.history.scenario import (
    CARRIERS,
    CLOCKS_SKEWED,
    COMPLAINS,
    HELD_BACK,
    PAST_TYPES,
    PHI,
    SKIPPED,
    SKIPS,
    TRIED_TWICE,
    UNHEARD_OF,
    UNSUBSCRIBES,
    WEEKLY,
    Incident,
    PastType,
)  # fmt: skip
from core.vocabulary import Channel

Micros = NDArray[np.int64]

NEVER = np.iinfo(np.int64).min
SECOND = 1_000_000
HOUR = 3600 * SECOND
SLOT = 300 * SECOND
FALLBACK_CHANNEL = Channel.EMAIL
HAPPENINGS = (
    "delivered",
    "failed",
    "opened",
    "clicked",
    "proxy_opened",
    "scanned",
    "unsubscribed",
    "complained",
)
"""The columns of tries that hold when something happened."""


@dataclass(frozen=True, slots=True)
class Day:
    """`notifications` has one row per notification (id number, person, type, skip reason …), `tries` one per attempt."""

    notifications: pd.DataFrame
    tries: pd.DataFrame


def live(
    day: datetime, people: People, *, per_week: float, bad_times: Sequence[Incident], rng: np.random.Generator
) -> Day:
    """Everything that was sent on the UTC day; `people.unsubscribed` is brought up to date."""
    planned = _plan(day, people, per_week / WEEKLY, rng)
    first = planned[planned["skip"] == ""]
    tries = _transmit(first, bad_times, rng)
    second = _fall_back(tries, people)
    if len(second):
        tries = pd.concat([tries, _transmit(second, bad_times, rng)], ignore_index=True)
    tries = _respond(tries, people, rng)
    people.unsubscribed[tries.loc[tries["unsubscribed"] != NEVER, "person"].to_numpy()] = True
    return Day(planned, tries)


def _plan(day: datetime, people: People, scale: float, rng: np.random.Generator) -> pd.DataFrame:
    offsets = _offsets(day, people)
    parts = []
    for number, kind in enumerate(PAST_TYPES):
        wanted = rng.random(len(people)) < kind.per_week * scale / 7
        wanted &= people.reachable[kind.channel]
        if kind.channel is Channel.EMAIL:
            wanted &= ~people.unsubscribed
        person = np.flatnonzero(wanted)
        parts.append(
            pd.DataFrame(
                {"person": person, "type": number, "planned": _send_times(day, kind, offsets[person], rng)}
            )
        )
    planned = pd.concat(parts, ignore_index=True).sort_values("planned", ignore_index=True)
    count = len(planned)
    skips = np.array([*SKIPS], dtype=object)
    reason = rng.choice(skips, count, p=list(SKIPS.values()))
    planned["skip"] = np.where(rng.random(count) < SKIPPED, reason, "")
    planned["offset"] = offsets[planned["person"].to_numpy()]
    waited = np.where(
        rng.random(count) < HELD_BACK, rng.uniform(1, 9, count) * HOUR, rng.exponential(0.4, count) * SECOND
    )
    planned["created"] = planned["planned"] - waited.astype(np.int64) - 50_000
    planned["number"] = np.arange(count)
    planned["channel"] = np.array([str(kind.channel) for kind in PAST_TYPES], dtype=object)[planned["type"]]
    return planned


def _offsets(day: datetime, people: People) -> Micros:
    """Each person's distance from UTC at noon of the day."""
    noon = day + timedelta(hours=12)
    zones, codes = np.unique(people.zones.astype(str), return_inverse=True)
    away = [noon.astimezone(ZoneInfo(zone)).utcoffset() or timedelta(0) for zone in zones]
    return np.array([int(each.total_seconds()) * SECOND for each in away], dtype=np.int64)[codes]


def _send_times(day: datetime, kind: PastType, offsets: Micros, rng: np.random.Generator) -> Micros:
    """Around the type's hour; one in five at any hour of the day that the law allows."""
    count = len(offsets)
    midnight = int(day.replace(tzinfo=UTC).timestamp()) * SECOND
    if kind.hour is None:
        return np.asarray(midnight + rng.uniform(0, 24, count) * HOUR, dtype=np.int64)
    hour = np.where(
        rng.random(count) < 0.2, rng.uniform(9, 20, count), rng.normal(kind.hour, kind.spread, count)
    )
    if kind.utc:
        return np.asarray(midnight + np.clip(hour, 0, 23.99) * HOUR, dtype=np.int64)
    return np.asarray(midnight + np.clip(hour, 8, 20.9) * HOUR, dtype=np.int64) - offsets


def _transmit(sends: pd.DataFrame, bad_times: Sequence[Incident], rng: np.random.Generator) -> pd.DataFrame:
    """The tries with `sent`, `delivered` or `failed` at, `failure` (row of the carrier's table) and `units`."""
    tries = sends.drop(columns=["skip"], errors="ignore").reset_index(drop=True)
    count = len(tries)
    sent = tries["planned"].to_numpy() + rng.integers(40_000, 900_000, count)
    delivered, failed = np.full(count, NEVER), np.full(count, NEVER)
    failure, price = np.full(count, -1, dtype=np.int8), np.zeros(count)
    units = np.ones(count, dtype=np.int8)
    for channel, carrier in CARRIERS.items():
        rows = np.flatnonzero(tries["channel"].to_numpy() == str(channel))
        at = sent[rows]
        normal = _overdispersed(at, carrier.delivered, rng)
        seconds = rng.lognormal(np.log(carrier.median_seconds), carrier.sigma, len(rows))
        for bad in bad_times:
            inside = (at >= _micros(bad.start)) & (at < _micros(bad.end)) & (bad.channel is channel)
            normal[inside] = bad.delivered
            seconds[inside] *= 10
        arrived = rng.random(len(rows)) < normal
        heard = rng.random(len(rows)) >= UNHEARD_OF
        skewed = rng.random(len(rows)) < CLOCKS_SKEWED
        after = at + (np.where(skewed, -1.0, seconds) * SECOND).astype(np.int64)
        delivered[rows] = np.where(arrived & heard, after, NEVER)
        failed[rows] = np.where(~arrived & heard, after, NEVER)
        kinds = rng.choice(len(carrier.failures), len(rows), p=[row[0] for row in carrier.failures])
        failure[rows] = np.where(arrived, -1, kinds)
        units[rows] = np.where((channel is Channel.SMS) & (rng.random(len(rows)) < 0.25), 2, 1)
        price[rows] = carrier.price * units[rows]
    again = rng.random(count) < TRIED_TWICE
    return tries.assign(
        sent=sent,
        delivered=delivered,
        failed=failed,
        failure=failure,
        units=units,
        price=price,
        tried_twice=again,
    )


def _overdispersed(at: Micros, mean: float, rng: np.random.Generator) -> Floats:
    slots, codes = np.unique(at // SLOT, return_inverse=True)
    return np.asarray(rng.beta(mean * PHI, (1 - mean) * PHI, len(slots)))[codes]


def _fall_back(tries: pd.DataFrame, people: People) -> pd.DataFrame:
    """The sends by mail that follow undelivered urgent texts."""
    urgent = np.array([kind.falls_back for kind in PAST_TYPES])[tries["type"].to_numpy()]
    mail = people.reachable[FALLBACK_CHANNEL][tries["person"].to_numpy()]
    rows: pd.DataFrame = tries.loc[urgent & mail & (tries["failed"] != NEVER).to_numpy()]
    columns = ["person", "type", "offset", "created", "number"]
    return rows[columns].assign(planned=rows["failed"] + 2 * SECOND, channel=str(FALLBACK_CHANNEL))


def _respond(tries: pd.DataFrame, people: People, rng: np.random.Generator) -> pd.DataFrame:
    """Opens and clicks by people (`opened`, `clicked`) and machines (`proxy_opened`, `scanned`), and goodbyes."""
    count = len(tries)
    person = tries["person"].to_numpy()
    delivered = tries["delivered"].to_numpy()
    mail = tries["channel"].to_numpy() == str(Channel.EMAIL)
    arrived = delivered != NEVER
    opens = np.array([kind.opens for kind in PAST_TYPES])[tries["type"].to_numpy()]
    clicks = np.array([kind.clicks for kind in PAST_TYPES])[tries["type"].to_numpy()]
    there, delay = _when_seen(tries, people, rng)
    eager = np.clip(people.engagement[person], 0, 2.5) * (0.45 + 0.55 * there)
    opened = arrived & mail & (rng.random(count) < np.clip(opens * eager, 0, 0.95))
    clicked = np.where(
        mail, opened & (rng.random(count) < clicks), arrived & (rng.random(count) < clicks * eager)
    )
    proxied = arrived & mail & people.proxied[person] & (rng.random(count) < 0.9)
    scanned = arrived & mail & people.scanned[person] & (rng.random(count) < 0.8)
    seen = delivered + delay
    later = seen + (rng.exponential(40, count) * SECOND).astype(np.int64) + 2 * SECOND
    goodbye = arrived & (rng.random(count) < UNSUBSCRIBES)
    angry = arrived & mail & (rng.random(count) < COMPLAINS)
    return tries.assign(
        opened=_where(opened, seen),
        clicked=_where(clicked, later),
        proxy_opened=_where(proxied, delivered + (rng.lognormal(0.6, 1.2, count) * SECOND).astype(np.int64)),
        proxy_known=rng.random(count) < 0.85,
        scanned=_where(scanned, delivered + (rng.uniform(5, 40, count) * SECOND).astype(np.int64)),
        unsubscribed=_where(goodbye, later + 5 * SECOND),
        complained=_where(angry, later + 9 * SECOND),
    )


def _when_seen(tries: pd.DataFrame, people: People, rng: np.random.Generator) -> tuple[Floats, Micros]:
    """How much the person is there in the three hours after the send (1 = their best), and µs until they look."""
    person = tries["person"].to_numpy()
    hour = (((tries["planned"] + tries["offset"]) // HOUR) % 24).to_numpy()
    ahead = sum(people.curves[person, (hour + step) % 24] for step in range(3))
    there = np.asarray(ahead / people.best[person])
    soon = rng.random(len(person)) < there * 0.8
    next_hour = (rng.random((len(person), 1)) > people.curves[person].cumsum(axis=1)).sum(axis=1).clip(0, 23)
    at_leisure = ((next_hour - hour) % 24 + rng.random(len(person))) * HOUR
    at_once = rng.lognormal(np.log(15 * 60), 1.0, len(person)) * SECOND
    return there, np.where(soon, at_once, at_leisure).astype(np.int64) + 4 * SECOND


def _where(happened: Flags, at: Micros) -> Micros:
    return np.where(happened, at, NEVER)


def _micros(at: datetime) -> int:
    return int(at.timestamp() * SECOND)
