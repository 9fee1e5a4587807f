"""One channel's send times from end to end: count, learn the population, bend it to each person, write, measure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from analytics import send_time_load as load
from analytics.engagement_load import shards
from analytics.off_policy import Uplift, measured_uplift
from analytics.person_hours import HourCounts
from analytics.send_time import fit_rhythms, fit_strength, response_curves, ten_thousandths, window_scores
from analytics.send_time_choice import Arm, best_hours
from analytics.send_time_store import EVERYBODY, Fit, keep_fit, keep_times, last_fit, redis_key
from core.database import transaction
from core.redis import client

LEAST_PEOPLE = 30
"""With fewer active people there is no population to learn from."""
MEASURED_OVER = timedelta(days=56)
MATURED_AFTER = timedelta(days=1)
BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Learnt:
    """The result for one channel; `fit` is None when too few people were active."""

    channel: str
    people: int
    active: int
    fit: Fit | None
    uplift: Uplift | None
    own_hours: int


def learn(connection: Any, channel: str, *, now: datetime) -> Learnt:
    """Fits one channel and writes everybody's hours to Postgres and Redis.

    `connection` is a snapshot to read from. `own_hours` counts the people whose best hour is not everybody's.
    """
    parts = [load.counts(connection, shard, channel, now=now) for shard in shards(connection)]
    counts = np.concatenate([part.counts for part in parts]) if parts else np.empty((0, 24), dtype=np.float32)
    active = int((counts.sum(axis=1) > 0).sum())
    if active < LEAST_PEOPLE:
        return Learnt(channel, len(counts), active, None, None, 0)
    with transaction() as writing:
        before = last_fit(writing, channel)
    rhythms = fit_rhythms(counts, start=before.rhythms if before else None)
    uplift = measure(connection, channel, now=now)
    proven = uplift is None or not uplift.enough or uplift.personalise
    fit = Fit(channel, rhythms, fit_strength(counts), proven, asdict(uplift) if uplift else None)
    own = _write(parts, fit)
    with transaction() as writing:
        keep_fit(writing, fit, now=now)
    return Learnt(channel, len(counts), active, fit, uplift, own)


def measure(connection: Any, channel: str, *, now: datetime) -> Uplift | None:
    """What the model's hours earned above sending at once, over the choices of eight weeks; None without any."""
    log = load.choices(connection, channel, since=now - MEASURED_OVER, until=now - MATURED_AFTER)
    log = log[log["arm"] != str(Arm.HOLDOUT)]
    if log.empty:
        return None
    reward = log["engaged"].to_numpy(dtype=float)
    model, default = log["took_model"].to_numpy(dtype=bool), log["took_default"].to_numpy(dtype=bool)
    means = {name: float(reward[rows].mean()) if rows.any() else float(reward.mean()) for name, rows in
             (("model", model), ("default", default), ("other", ~model & ~default))}  # fmt: skip
    predicted = np.where(model, means["model"], np.where(default, means["default"], means["other"]))
    return measured_uplift(
        pd.DataFrame(
            {
                "user_id": log["user_id"], "propensity": log["propensity"], "reward": reward,
                "target": model.astype(float), "baseline": default.astype(float), "predicted": predicted,
                "predicted_target": means["model"], "predicted_baseline": means["default"],
            }
        )
    )  # fmt: skip


def _write(parts: list[HourCounts], fit: Fit) -> int:
    """Everybody's curves to Postgres; to Redis the population's hours and those of people who have others."""
    everybody = best_hours(window_scores(fit.rhythms.population[None, :].astype(np.float32)))[0]
    key, own = redis_key(fit.channel), 0
    draft = f"{key}:new"
    redis = client()
    redis.delete(draft)
    redis.hset(draft, EVERYBODY, _joined(everybody))
    for part in parts:
        curves = response_curves(part.counts, fit.rhythms, strength=fit.strength)
        hours = best_hours(window_scores(curves))
        events = part.counts.sum(axis=1).astype(float)
        with transaction() as writing:
            keep_times(
                writing,
                fit.channel,
                part.user_ids,
                curves=ten_thousandths(curves),
                hours=hours,
                events=events,
            )
        others = (
            np.flatnonzero((hours != everybody).any(axis=1)) if fit.personalise else np.empty(0, dtype=int)
        )
        own += int((hours[:, 0] != everybody[0]).sum())
        for rows in _batches(others):
            redis.hset(draft, mapping={str(part.user_ids[row]): _joined(hours[row]) for row in rows})
    redis.rename(draft, key)
    return own


def _joined(hours: Any) -> str:
    return ",".join(str(int(hour)) for hour in hours)


def _batches(rows: Any) -> Iterator[Any]:
    for first in range(0, len(rows), BATCH):
        yield rows[first : first + BATCH]
