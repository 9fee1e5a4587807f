"""The delivery figures of one window: which rates are shown for which groups, as plain values for stores and pages.

counts by group ──figures──▶ Figures (grouping, name, rates with Wilson intervals, latency, cost) ──verdict──▶ sentences
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analytics.latency import merge, percentiles
from analytics.rates import COUNTED, rates

GROUPINGS: Mapping[str, Sequence[str]] = {
    "all": (),
    "channel": ("channel",),
    "provider": ("channel", "provider"),
    "message_type": ("message_type", "channel"),
    "domain": ("channel", "domain_or_carrier"),
}
"""What figures are computed by; the name of a group is its values joined by a slash."""
EVERYTHING = "all"
BY_DOMAIN = "domain"
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one group of one window; `values` is JSON: counts, rates with intervals, latency (ms), cost (USD)."""

    grouping: str
    name: str
    values: dict[str, Any]


def all_figures(counts: pd.DataFrame, domains: pd.DataFrame, latencies: pd.DataFrame) -> list[Figures]:
    """The figures of a window from its rollups (`load.try_counts`, `domain_counts`, `latencies`); [] when nothing was sent."""
    if counts.empty:
        return []
    return [
        each
        for grouping, by in GROUPINGS.items()
        for each in figures(
            domains if grouping == BY_DOMAIN else counts,
            grouping,
            None if grouping == BY_DOMAIN else percentiles(merge([latencies], by), by, wanted=PERCENTILES),
        )
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
