"""The delivery figures of one window: which rates are shown for which groups, as plain values for stores and pages.

counts by group ──figures──▶ Figures (grouping, name, rates with Wilson intervals, latency, cost) ──verdict──▶ sentences
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from analytics.latency import histogram, percentiles
from analytics.machines import mark_machines
from analytics.rates import COUNTED, rates, summarise

GROUPINGS: Mapping[str, Sequence[str]] = {
    "all": (),
    "channel": ("channel",),
    "provider": ("channel", "provider"),
    "message_type": ("message_type", "channel"),
    "domain": ("channel", "domain_or_carrier"),
}
"""What figures are computed by; the name of a group is its values joined by a slash."""
EVERYTHING = "all"
PERCENTILES = (50, 95, 99)

_TRY = ["notification_id", "channel", "provider"]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one group of one window; `values` is JSON: counts, rates with intervals, latency (ms), cost (USD)."""

    grouping: str
    name: str
    values: dict[str, Any]


def figures_of_events(
    events: pd.DataFrame, start: datetime, end: datetime, *, now: datetime
) -> list[Figures]:
    """All figures of the tries sent in [start, end), from everything known about them; [] when nothing was sent.

    `events` are `frames.EVENTS` with `price`; machine opens are told apart; a latency below zero is a skewed clock
    and not counted.
    """
    tries = summarise(mark_machines(events), now=now)
    tries = tries[(tries["sent_at"] >= start) & (tries["sent_at"] < end)]
    if tries.empty:
        return []
    known = events[events["at"] <= now].groupby(_TRY)
    delivered = events[events["event"] == "delivered"].groupby(_TRY)["at"].min().rename("delivered_at")
    cost = known["price"].max().fillna(0.0).rename("cost")
    tries = tries.join(delivered, on=_TRY).join(cost, on=_TRY)
    took = (tries["delivered_at"] - tries["sent_at"]).dt.total_seconds() * 1000
    arrived = tries.assign(milliseconds=took)[(took >= 0).fillna(value=False)]
    return [
        each
        for grouping, by in GROUPINGS.items()
        for each in figures(tries, grouping, percentiles(histogram(arrived, by), by, wanted=PERCENTILES))
    ]


def figures(counts: pd.DataFrame, grouping: str, latencies: pd.DataFrame | None = None) -> list[Figures]:
    """One `Figures` per group of `counts` (the columns of the grouping, `rates.COUNTED`, and optionally `cost`).

    `latencies` are rows of `latency.percentiles` by the same columns. No counts, no figures: nothing is not zero.
    """
    by = list(GROUPINGS[grouping])
    summed = _sum_up(counts, by)
    tidy = rates(summed, by)
    found = {name: dict(values) for name, values in _counts_by_name(summed, by).items()}
    for row in tidy.to_dict("records"):
        found[_name(row, by)]["rates"][row["rate"]] = {
            "hits": int(row["hits"]),
            "total": int(row["total"]),
            "value": float(row["value"]),
            "low": float(row["low"]),
            "high": float(row["high"]),
            "shown": bool(row["shown"]),
        }
    if latencies is not None:
        for row in latencies.to_dict("records"):
            name = _name(row, by)
            if name in found:
                found[name]["latency_ms"][f"p{row['percentile']:g}"] = round(float(row["milliseconds"]))
    return [Figures(grouping, name, values) for name, values in sorted(found.items())]


def _sum_up(counts: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    columns = [*COUNTED, *(["cost"] if "cost" in counts.columns else [])]
    if by:
        return counts.groupby(by, observed=True, dropna=False)[columns].sum().reset_index()
    return counts[columns].sum().to_frame().T if len(counts) else counts[columns]


def _counts_by_name(summed: pd.DataFrame, by: list[str]) -> dict[str, dict[str, Any]]:
    return {
        _name(row, by): {
            "counts": {name: int(row[name]) for name in COUNTED},
            "cost": round(float(row.get("cost", 0.0)), 6),
            "rates": {},
            "latency_ms": {},
        }
        for row in summed.to_dict("records")
    }


def _name(row: Mapping[Any, Any], by: Sequence[str]) -> str:
    return "/".join("unknown" if pd.isna(row[column]) else str(row[column]) for column in by) or EVERYTHING


def shown(figure: Mapping[str, Any] | None) -> str:
    """A rate as text, e.g. `98.5 % [97.5–99.1]`, `too few (12)` under 30 and a dash where nothing is known."""
    if figure is None:
        return "–"
    if not figure["shown"]:
        return f"too few ({figure['hits']} of {figure['total']})"
    return f"{figure['value']:.1%} [{100 * figure['low']:.1f}–{100 * figure['high']:.1f}]".replace("%", " %")
