"""When people are active: one weighted event per person and hour, in the person's own local time.

events ──local_hours──▶ rows with the local hour ──hour_counts──▶ 24 decayed counts per person
"""

import math
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.frames import (
    KEY,
    PERSON_HOURS,
    WHOLE,
    Column,
    InvalidFrame,
    Kind,
    UserWithoutZone,
    require_columns,
)

HOURS = 24
HALF_LIFE_DAYS = 365.0
EVENT_WEIGHTS = {"clicked": 1.0, "reply": 1.0, "session": 1.0, "purchase": 1.0, "opened": 0.5}
"""What an event by a human says about being there; machine events weigh nothing and don't come here."""

Counts = NDArray[np.float32]

_ZONES = {"user_id": KEY, "time_zone": Column(Kind.TEXT, nullable=True)}


@dataclass(frozen=True, slots=True)
class HourCounts:
    """Row i of `counts` (n × 24, float32) is the decayed activity of `user_ids[i]` by local hour.

    `skewed` events lay after `now` and were left out: their clocks are wrong.
    """

    user_ids: pd.Index
    counts: Counts
    skewed: int = 0

    def of(self, user_ids: pd.Index) -> "HourCounts":
        """The rows of exactly these people in this order; zeros for people without events."""
        where = self.user_ids.get_indexer(user_ids)
        counts = np.zeros((len(user_ids), HOURS), dtype=np.float32)
        counts[where >= 0] = self.counts[where[where >= 0]]
        return HourCounts(user_ids, counts, self.skewed)


def local_hours(
    events: pd.DataFrame, users: pd.DataFrame, *, default_zone: str | None = None
) -> pd.DataFrame:
    """`events` (user_id, at) with `local_hour` 0–23 and `local_weekday` (0 = Monday) at event time.

    UserWithoutZone for people without an IANA zone in `users`, unless `default_zone` is given; InvalidFrame for a
    name that is no zone.
    """
    require_columns(events, {"user_id": KEY, "at": PERSON_HOURS["at"]})
    require_columns(users, _ZONES)
    zones = events["user_id"].map(users.drop_duplicates("user_id").set_index("user_id")["time_zone"])
    if default_zone is not None:
        zones = zones.fillna(default_zone)
    lacking = events.loc[zones.isna(), "user_id"].unique()
    if len(lacking):
        raise UserWithoutZone(
            "time_zone", f"unknown for {len(lacking)} people, e.g. {lacking[0]}: store one or give a default"
        )
    hours = np.zeros(len(events), dtype=np.int8)
    weekdays = np.zeros(len(events), dtype=np.int8)
    codes, names = pd.factorize(zones)
    instants = pd.DatetimeIndex(events["at"])
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(order) else ():
        local = instants[rows].tz_convert(_zone(str(names[codes[rows[0]]])))
        hours[rows], weekdays[rows] = local.hour, local.day_of_week
    return events.assign(local_hour=hours, local_weekday=weekdays)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise InvalidFrame("time_zone", f"{name!r} is no IANA zone, e.g. America/New_York") from unknown


def hour_counts(hours: pd.DataFrame, *, now: datetime, half_life_days: float = HALF_LIFE_DAYS) -> HourCounts:
    """The activity of everyone in `hours` (user_id, at, weight, local_hour): one event per person-hour, its greatest
    weight, halved every `half_life_days` (math.inf: never) of age at `now`.
    """
    require_columns(hours, {**PERSON_HOURS, "local_hour": WHOLE})
    codes, user_ids = pd.factorize(hours["user_id"])
    utc_hours = (
        pd.DatetimeIndex(hours["at"]).tz_localize(None).to_numpy().astype("datetime64[h]").astype(np.int64)
    )
    this_hour = int(now.timestamp() // 3600)
    past = utc_hours <= this_hour
    # one sort by (person, hour) brings the repetitions of a person-hour together; 2**22 hours last until the year 2448
    key = (codes.astype(np.int64) << 22) | np.clip(utc_hours, 0, (1 << 22) - 1)
    order = np.flatnonzero(past)
    order = order[np.argsort(key[order], kind="stable")]
    key = key[order]
    firsts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.empty(0, dtype=np.int64)
    weights = hours["weight"].to_numpy(dtype=np.float64)[order]
    weights = np.maximum.reduceat(weights, firsts) if len(firsts) else weights
    rows = order[firsts]
    if not math.isinf(half_life_days):
        weights = weights * 0.5 ** ((this_hour - utc_hours[rows]) / (24 * half_life_days))
    cells = codes[rows] * HOURS + hours["local_hour"].to_numpy(dtype=np.int64)[rows]
    counts = np.bincount(cells, weights, minlength=len(user_ids) * HOURS).astype(np.float32)
    return HourCounts(pd.Index(user_ids), counts.reshape(-1, HOURS), int((~past).sum()))
