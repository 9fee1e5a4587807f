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
    """The figures of a window from its rollups (`load.try_counts`, `domain_counts`, `latencies`), one per group.

    [] when nothing was sent: nothing is not zero.
    """
    if counts.empty:
        return []
    groups = pd.concat(
        [_named(domains if grouping == BY_DOMAIN else counts, grouping) for grouping in GROUPINGS],
        ignore_index=True,
    )
    found: dict[tuple[Any, Any], dict[str, Any]] = {
        (row["grouping"], row["name"]): {
            "counts": {name: int(row[name]) for name in COUNTED},
            "cost": round(float(row["cost"]), 6),
            "rates": {},
            "latency_ms": {},
        }
        for row in groups.to_dict("records")
    }
    for row in rates(groups, ("grouping", "name")).to_dict("records"):
        found[row["grouping"], row["name"]]["rates"][row["rate"]] = {
            "hits": int(row["hits"]), "total": int(row["total"]), "value": float(row["value"]),
            "low": float(row["low"]), "high": float(row["high"]), "shown": bool(row["shown"]),
        }  # fmt: skip
    for grouping, by in GROUPINGS.items():
        for row in _percentiles(latencies, by) if grouping != BY_DOMAIN else ():
            figures = found.get((grouping, _name(row, by)))
            if (
                figures is not None
            ):  # latencies are kept by the hour: the only try of a group may lie before the window
                figures["latency_ms"][f"p{row['percentile']:g}"] = round(row["milliseconds"])
    return [Figures(grouping, name, values) for (grouping, name), values in found.items()]


def _named(counts: pd.DataFrame, grouping: str) -> pd.DataFrame:
    """The counts summed by the grouping's columns, with its name and each group's."""
    by = list(GROUPINGS[grouping])
    columns = [*COUNTED, "cost"]
    if not by:
        return counts[columns].sum().to_frame().T.assign(grouping=grouping, name=EVERYTHING)
    summed = counts.groupby(by, observed=True, dropna=False)[columns].sum().reset_index()
    names = [_name(row, by) for row in summed[by].to_dict("records")]
    return summed.drop(columns=by).assign(grouping=grouping, name=pd.Series(names, dtype="str"))


def _percentiles(latencies: pd.DataFrame, by: Sequence[str]) -> list[dict[Any, Any]]:
    return percentiles(merge([latencies], by), by, wanted=PERCENTILES).to_dict("records")


def _name(row: Mapping[Any, Any], by: Sequence[str]) -> str:
    return "/".join("unknown" if pd.isna(row[column]) else str(row[column]) for column in by) or EVERYTHING


def shown(figure: Mapping[str, Any] | None) -> str:
    """A rate as text, e.g. `98.5 % [97.5–99.1]`, `too few (12)` under 30 and a dash where nothing is known."""
    if figure is None:
        return "–"
    if not figure["shown"]:
        return f"too few ({figure['hits']} of {figure['total']})"
    return f"{figure['value']:.1%} [{100 * figure['low']:.1f}–{100 * figure['high']:.1f}]".replace("%", " %")
