"""One channel's send times: learn the population from a sample, bend it to each person shard by shard, measure the gain.

sample ─fit_channel▶ rhythms, strength, on or off ─▶ send_time_fits ─write_shard (any number at once)▶ Postgres, Redis draft
                                                                                        all shards ─publish▶ Redis
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from analytics import send_time_load as load
from analytics.off_policy import Uplift, measured_uplift
from analytics.send_time import (
    MOST_PEOPLE,
    fit_rhythms,
    fit_strength,
    response_curves,
    ten_thousandths,
    window_scores,
)
from analytics.send_time_choice import Arm, best_hours
from analytics.send_time_store import EVERYBODY, Fit, keep_fit, keep_times, last_fit, redis_key
from core.database import transaction
from core.redis import client

LEAST_PEOPLE = 30
"""With fewer active people there is no population to learn from."""
MEASURED_OVER = timedelta(days=56)
MATURED_AFTER = timedelta(days=1)
BATCH = 20_000
Shard = tuple[str, str]
"""(first user id, first id after it or "" for the last): a range of the primary key."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What one channel taught; `fit` is None when too few people were active, `uplift` while no choice has matured."""

    channel: str
    active: int
    fit: Fit | None
    uplift: Uplift | None


def fit_channel(
    connection: Any, channel: str, *, now: datetime, measured_over: timedelta = MEASURED_OVER
) -> Learnt:
    """Fits one channel on at most 50,000 of its active people and keeps the fit; `connection` is a snapshot."""
    counts, active = load.sample(connection, channel, MOST_PEOPLE, now=now)
    if active < LEAST_PEOPLE:
        return Learnt(channel, active, None, None)
    with transaction() as writing:
        before = last_fit(writing, channel)
    rhythms = fit_rhythms(counts, start=before.rhythms if before else None)
    uplift = measure(connection, channel, since=now - measured_over, until=now - MATURED_AFTER)
    proven = uplift is None or not uplift.enough or uplift.personalise
    fit = Fit(channel, rhythms, fit_strength(counts), proven, asdict(uplift) if uplift else None)
    with transaction() as writing:
        keep_fit(writing, fit, now=now)
    client().delete(_draft(channel))
    return Learnt(channel, active, fit, uplift)


def write_shard(connection: Any, channel: str, shard: Shard, *, now: datetime) -> tuple[int, int]:
    """Writes a shard's curves to Postgres and its hours to the draft in Redis, by the channel's newest fit.

    Returns (people, those whose best hour is not everybody's). Repeating it changes nothing.
    """
    with transaction() as writing:
        fit = last_fit(writing, channel)
    if fit is None:
        return 0, 0
    part = load.counts(connection, shard, channel, now=now)
    everybody = _everybody(fit)
    curves = response_curves(part.counts, fit.rhythms, strength=fit.strength)
    hours = best_hours(window_scores(curves))
    events = part.counts.sum(axis=1).astype(float)
    with transaction() as writing:
        keep_times(
            writing, channel, part.user_ids, curves=ten_thousandths(curves), hours=hours, events=events
        )
    others = np.flatnonzero((hours != everybody).any(axis=1)) if fit.personalise else np.empty(0, dtype=int)
    for rows in _batches(others):
        client().hset(_draft(channel), mapping={str(part.user_ids[row]): _joined(hours[row]) for row in rows})
    return len(part.user_ids), int((hours[:, 0] != everybody[0]).sum())


def publish(channel: str) -> None:
    """Makes the draft the hours that the send path finds: everybody's, and those of people who have others."""
    with transaction() as reading:
        fit = last_fit(reading, channel)
    if fit is not None:
        client().hset(_draft(channel), EVERYBODY, _joined(_everybody(fit)))
        client().rename(_draft(channel), redis_key(channel))


def measure(connection: Any, channel: str, *, since: datetime, until: datetime) -> Uplift | None:
    """What the model's hours earned above sending at once, over the choices made since and due before `until`.

    None without any.
    """
    log = load.choices(connection, channel, since=since, until=until)
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


def _everybody(fit: Fit) -> Any:
    return best_hours(window_scores(fit.rhythms.population[None, :].astype(np.float32)))[0]


def _draft(channel: str) -> str:
    return f"{redis_key(channel)}:new"


def _joined(hours: Any) -> str:
    return ",".join(str(int(hour)) for hour in hours)


def _batches(rows: Any) -> Iterator[Any]:
    for first in range(0, len(rows), BATCH):
        yield rows[first : first + BATCH]
