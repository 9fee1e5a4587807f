"""How good is the predicted three-hour window? Methods compared on real people's activity, split in time.

Every person's events are cut in two by time; the history shown to a method is the last 1, 2, 3, 5, 8 … events before
the cut, what it is judged by is the share of the later activity inside its window. Whatever a method knows of a
population comes from other people (five folds). `--protocol first` shows the first k events instead and judges by all
that follow.

    python -m benchmarks.send_time_quality
"""

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.send_time import (
    STRENGTH,
    Rhythms,
    fit_rhythms,
    fit_strength,
    response_curves,
    smooth,
    window_scores,
)
from benchmarks.public_data import public_data

DATA = "activity_person_hours.csv.gz"
BUCKETS = {"1": 1, "2–3": 3, "4–8": 8, "9–21": 21, "22–55": 55, "56–144": 144, "145+": math.inf}
SHOWN = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610)
FOLDS = 5
LEAST_EVENTS = 10
OURS = "mixture prior + kernel + 365 d decay"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """What is known from other people."""

    hours: Floats
    utc_hours: Floats
    rhythms: Rhythms


@dataclass(frozen=True)
class Case:
    """Histories and what came later, one row per (person, number of events shown)."""

    person: NDArray[np.int64]
    shown: NDArray[np.int64]
    counts: Floats
    decayed: Floats
    later: Floats
    later_utc: Floats


def best_window(curves: Floats) -> NDArray[np.int64]:
    """The first hour of each row's best three hours."""
    return np.asarray(window_scores(np.atleast_2d(curves).astype(np.float32)).argmax(axis=1))


def _constant(curve: Floats, case: Case) -> NDArray[np.int64]:
    return np.repeat(best_window(curve), len(case.person))


METHODS: Mapping[str, Callable[[Case, Population], NDArray[np.int64]]] = {
    "global best hour, UTC": lambda case, others: _constant(others.utc_hours, case),
    "global best hour, local time": lambda case, others: _constant(others.hours, case),
    "the user's most frequent hours": lambda case, _: best_window(case.counts),
    "Dirichlet(10) to global + kernel": lambda case, others: best_window(
        smooth(case.counts) + 10 * others.hours
    ),
    OURS: lambda case, others: best_window(
        response_curves(case.decayed, others.rhythms, strength=STRENGTH).astype(np.float64)
    ),
}


def load(path: Path) -> pd.DataFrame:
    """person (code), day, local_hour and utc_hour in the order of time."""
    raw = pd.read_csv(path)
    at = pd.to_datetime(raw["utc_hour"], utc=True, format="%Y-%m-%dT%H:%MZ")
    day = (at - pd.Timestamp("2000-01-01", tz="UTC")) / pd.Timedelta(days=1)
    person = pd.factorize(raw["person"])[0]
    frame = pd.DataFrame(
        {"person": person, "day": day, "local_hour": raw["local_hour"], "utc_hour": at.dt.hour}
    )
    return frame.sort_values(["person", "day"], ignore_index=True)


def cases(activity: pd.DataFrame, cut: float, protocol: str) -> Case:
    """All histories of people with at least ten events."""
    rows = []
    for person, events in activity.groupby("person"):
        total, past = len(events), int(len(events) * cut)
        if total < LEAST_EVENTS:
            continue
        days, local, utc = (events[name].to_numpy() for name in ("day", "local_hour", "utc_hour"))
        for shown in SHOWN:
            if protocol == "last":
                first, last, rest = past - shown, past, past
            else:
                first, last, rest = 0, shown, shown
            if first < 0 or total - rest < (1 if protocol == "last" else 5):
                break
            weights = 0.5 ** ((days[last - 1] - days[first:last]) / 365)
            rows.append(
                (
                    person,
                    shown,
                    np.bincount(local[first:last], minlength=24),
                    np.bincount(local[first:last], weights, minlength=24),
                    np.bincount(local[rest:], minlength=24) / (total - rest),
                    np.bincount(utc[rest:], minlength=24) / (total - rest),
                )
            )
    person_, shown_, *curves = zip(*rows, strict=True)
    return Case(np.array(person_), np.array(shown_), *(np.array(each, dtype=float) for each in curves))


def measure(path: Path, *, cut: float = 0.5, protocol: str = "last", seed: int = 0) -> list[dict[str, Any]]:
    """Rows (method, bucket, share in %, histories, people): the mean over histories, each bucket and all."""
    activity = load(path)
    everyone = int(activity["person"].max()) + 1
    fold_of = np.random.default_rng(seed).integers(0, FOLDS, everyone)
    totals = np.zeros((everyone, 24))
    np.add.at(totals, (activity["person"], activity["local_hour"]), 1)
    case = cases(activity, cut, protocol)
    shares = {method: np.zeros(len(case.person)) for method in METHODS}
    for fold in range(FOLDS):
        taught = fold_of != fold
        utc = np.bincount(activity["utc_hour"][taught[activity["person"]]], minlength=24).astype(float)
        others = Population(
            totals[taught].sum(axis=0) / totals[taught].sum(), utc, fit_rhythms(totals[taught], seed=seed)
        )
        rows = np.flatnonzero(fold_of[case.person] == fold)
        part = Case(*(getattr(case, name)[rows] for name in Case.__dataclass_fields__))
        for method, choose in METHODS.items():
            later = part.later_utc if method.endswith("UTC") else part.later
            shares[method][rows] = window_scores(later.astype(np.float32))[
                np.arange(len(rows)), choose(part, others)
            ]
    return _rows(case, shares)


def _rows(case: Case, shares: Mapping[str, Floats]) -> list[dict[str, Any]]:
    bucket_of = np.searchsorted(np.array(list(BUCKETS.values())), case.shown)
    found = []
    for method, share in shares.items():
        for index, bucket in enumerate([*BUCKETS, "all"]):
            inside = bucket_of == index if bucket != "all" else np.ones(len(share), dtype=bool)
            if inside.any():
                found.append(
                    {
                        "method": method,
                        "bucket": bucket,
                        "share": round(float(share[inside].mean()) * 100, 2),
                        "histories": int(inside.sum()),
                        "people": len(np.unique(case.person[inside])),
                    }
                )
    return found


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """The table of ANALYTICS: methods down, history buckets across."""
    table = pd.DataFrame(rows).pivot_table(index="method", columns="bucket", values="share", sort=False)
    print(table.round(1).to_string())


def main() -> None:
    """Prints the table and the fitted strength; exit code 1 without the data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cut", type=float, default=0.5, help="share of each person's events that is the past"
    )
    parser.add_argument("--protocol", choices=["last", "first"], default="last")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="rows instead of the table")
    wanted = parser.parse_args()
    path = public_data(DATA)
    if path is None:
        raise SystemExit(f"{DATA} is not here: set MINGUS_DATA to the folder that holds it")
    rows = measure(path, cut=wanted.cut, protocol=wanted.protocol, seed=wanted.seed)
    if wanted.json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    print_table(rows)
    activity = load(path)
    totals = np.zeros((int(activity["person"].max()) + 1, 24))
    np.add.at(totals, (activity["person"], activity["local_hour"]), 1)
    print(f"fitted strength: {fit_strength(totals):.0f} events")


if __name__ == "__main__":
    main()
