"""Time and memory of the two big statistics on a million people: the send time and the engagement score.

Histories come in shards of people, as a flow would read them from the database; making them up is not counted.

    python -m benchmarks.analytics_statistics            both, each in a process of its own
    python -m benchmarks.analytics_statistics send_time --people 200000
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from analytics.engagement import EngagementModel, scores, tiers, train
from analytics.engagement_features import channel_priors, engaged_within, features
from analytics.intervals import BetaPrior
from analytics.person_hours import hour_counts, local_hours
from analytics.send_time import fit_rhythms, fit_strength, response_curves, ten_thousandths, window_scores
from analytics.send_time_choice import best_hours, choose_waits

NOW = datetime(2026, 11, 2, tzinfo=UTC)
PEOPLE = 1_000_000
SHARD = 50_000
EVENTS_EACH = 18
"""Mean person-hours of a person, as in the public activity data."""
DAYS_EACH = 20
"""Mean user-days of a person within the last 90 days."""
BY_DAY = np.arange(24) >= 8
ZONES = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Phoenix", "Europe/London",
    "Europe/Berlin", "Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney", "America/Sao_Paulo", "Pacific/Auckland",
)  # fmt: skip


class Stopwatch:
    """Sums up only what is measured, by the name of the step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def shards(people: int) -> Iterator[tuple[int, int]]:
    """(first person, people) of each shard."""
    for first in range(0, people, SHARD):
        yield first, min(SHARD, people - first)


def _user_ids(first: int, size: int) -> "pd.Series[str]":
    return pd.Series([f"user-{number:08d}" for number in range(first, first + size)], dtype="str")


def _events(first: int, size: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Made-up (person-hours, users): heavy-tailed activity around each person's own hour."""
    rng = np.random.default_rng(first)
    users = pd.DataFrame(
        {"user_id": _user_ids(first, size), "time_zone": pd.Series(rng.choice(ZONES, size), dtype="str")}
    )
    each = np.minimum(rng.poisson(rng.gamma(0.5, 2 * EVENTS_EACH, size)), 1000)
    person = np.repeat(np.arange(size), each)
    hour = rng.choice([8, 13, 20], size)[person] + rng.normal(0, 3, len(person))
    day = rng.integers(1, 700, len(person))
    at = (
        pd.Timestamp(NOW)
        - pd.to_timedelta(day, unit="D")
        + pd.to_timedelta((hour * 3600).astype(int), unit="s")
    )
    frame = pd.DataFrame({"user_id": users["user_id"].to_numpy()[person], "at": at.as_unit("us")})
    return frame.astype({"user_id": "str"}).assign(weight=rng.choice([1.0, 0.5], len(person))), users


def send_time(people: int) -> dict[str, Any]:
    """The nightly work for `people`: counts, strength, mixture, curves, windows, stored numbers, a choice for all."""
    watch, found, events = Stopwatch(), [], 0
    for first, size in shards(people):
        hours, users = _events(first, size)
        events += len(hours)
        with watch("local hours"):
            local = local_hours(hours, users)
        with watch("counts"):
            found.append(hour_counts(local, now=NOW).of(pd.Index(users["user_id"])).counts)
    counts = np.concatenate(found)
    del found
    with watch("strength"):
        strength = fit_strength(counts)
    with watch("mixture"):
        rhythms = fit_rhythms(counts)
    windows = np.empty_like(counts)
    rng = np.random.default_rng(1)
    for first, size in shards(people):
        rows = slice(first, first + size)
        now_hour, longest = rng.integers(0, 24, size), rng.integers(1, 48, size)
        with watch("curves"):
            curves = response_curves(counts[rows], rhythms, strength=strength)
            windows[rows] = window_scores(curves)
        with watch("small numbers"):
            ten_thousandths(curves)
            best_hours(windows[rows])
        with watch("choice"):
            choose_waits(windows[rows], local_hour=now_hour, longest=longest, allowed=BY_DAY)
    return {"rows": events, "strength": round(strength, 1), "rounds": rhythms.rounds, "steps": watch.seconds}


def _user_days(first: int, size: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Made-up (user-days, people): each person has an own liking per channel that drifts."""
    rng = np.random.default_rng(first)
    joined = pd.Timestamp(NOW) - pd.to_timedelta(rng.integers(1, 900, size), unit="D")
    people = pd.DataFrame({"user_id": _user_ids(first, size), "joined_at": joined.as_unit("us")})
    each = rng.poisson(DAYS_EACH, size)
    person = np.repeat(np.arange(size), each)
    liking = rng.beta(0.6, 4, size)
    sent = rng.integers(1, 4, len(person))
    day = pd.Timestamp(NOW) - pd.to_timedelta(rng.integers(1, 90, len(person)), unit="D")
    frame = pd.DataFrame(
        {
            "user_id": people["user_id"].to_numpy()[person],
            "channel": np.where(rng.random(len(person)) < 0.7, "email", "sms"),
            "day": day.as_unit("us"),
            "sent": sent,
            "engaged": rng.binomial(sent, liking[person]),
            "negative": 0,
        }
    )
    return frame.astype({"user_id": "str", "channel": "str"}), people


def engagement(people: int) -> dict[str, Any]:
    """The hourly work for `people`: priors, a model taught by last week, scores and tiers for all."""
    watch, rows = Stopwatch(), 0
    week_ago = NOW - timedelta(days=7)
    priors: dict[str, BetaPrior] = {}
    model: EngagementModel | None = None
    margins, probabilities = np.empty(people), np.empty(people, dtype=np.float32)
    for first, size in shards(people):
        days, users = _user_days(first, size)
        rows += len(days)
        if model is None:  # the first shard teaches: shards are people by hash, so any is a sample
            with watch("priors"):
                priors = channel_priors(days, as_of=week_ago)
            with watch("features"):
                then = features(days, users, priors, as_of=week_ago)
                outcomes = engaged_within(days, then.user_ids, start=week_ago)
            with watch("model"):
                model = train(then, outcomes)
        with watch("features"):
            now = features(days, users, priors, as_of=NOW)
        with watch("predict"):
            margins[first : first + size] = model.margin(now)
            probabilities[first : first + size] = model.predict(now)
    assert model is not None
    with watch("scores"):
        named = tiers(scores(margins))
    quality = {"auc": round(model.held_out.auc, 3), "brier": round(model.held_out.brier, 4)}
    return {"rows": rows, **quality, "active": int((named == "active").sum()), "steps": watch.seconds}


STATISTICS = {"send_time": send_time, "engagement": engagement}


def measure(name: str, people: int = PEOPLE) -> dict[str, Any]:
    """One statistic in a fresh process: {name, people, seconds, peak_mb, …}."""
    command = [sys.executable, "-m", "benchmarks.analytics_statistics", name, "--people", str(people)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    row: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", choices=STATISTICS)
    parser.add_argument("--people", type=int, default=PEOPLE)
    wanted = parser.parse_args()
    if wanted.name is None:
        for name in STATISTICS:
            print(json.dumps(measure(name, wanted.people)))
        return
    found = STATISTICS[wanted.name](wanted.people)
    seconds = sum(found["steps"].values())
    found["steps"] = {step: round(took, 2) for step, took in found["steps"].items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "name": wanted.name,
                "people": wanted.people,
                "seconds": round(seconds, 1),
                "peak_mb": round(peak),
                **found,
            }
        )
    )


if __name__ == "__main__":
    main()
