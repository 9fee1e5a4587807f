"""Patterns of engagement for people to look at: when, how long after joining, and how far down the funnel."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.engagement_features import PEOPLE
from analytics.frames import USER_DAYS, WHOLE, Column, Kind, require_columns
from analytics.intervals import HIDDEN_BELOW, wilson

STEPS: Sequence[tuple[str, str]] = (
    ("sent", ""),
    ("delivered", "sent"),
    ("opened", "delivered"),
    ("clicked", "delivered"),
)
"""Each step of the funnel and the one that it is a share of; a click needs no open, images may be off."""

_LOCAL = {"local_weekday": WHOLE, "local_hour": WHOLE}
_FUNNEL = {name: Column(Kind.NUMBER) for name, _ in STEPS}


def heat_map(engagements: pd.DataFrame) -> NDArray[np.int64]:
    """Human engagements by local weekday (0 = Monday) and hour: 7 × 24 counts, all 0 when there are none."""
    require_columns(engagements, _LOCAL)
    cells = engagements["local_weekday"].to_numpy(dtype=np.int64) * 24 + engagements["local_hour"].to_numpy(
        dtype=np.int64
    )
    return np.bincount(cells, minlength=168).reshape(7, 24)


def lift(engaged: NDArray[np.int64], sent: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much likelier a message sent in each cell is engaged with than the average one; NaN under n = 30.

    `engaged` must be counted by the hour of the *send*: engagements by their own hour follow our send habits.
    """
    overall = engaged.sum() / max(1, sent.sum())
    share = engaged / np.maximum(sent, 1)
    return np.where((sent >= HIDDEN_BELOW) & (overall > 0), share / (overall or 1.0), np.nan)


def retention(user_days: pd.DataFrame, people: pd.DataFrame, *, months: int = 12) -> pd.DataFrame:
    """Rows (cohort, month, people, engaged, share, low, high, shown): of those who joined in a month, how many engaged
    k months later. Months that have not begun by the newest day have no row; a cohort under 30 is not to be shown.
    """
    require_columns(user_days, USER_DAYS)
    require_columns(people, PEOPLE)
    columns = ["cohort", "month", "people", "engaged", "share", "low", "high", "shown"]
    if len(user_days) == 0 or len(people) == 0:
        return pd.DataFrame(columns=columns)
    joined = people.assign(cohort=_month(people["joined_at"]))
    sizes = joined.groupby("cohort")["user_id"].nunique()
    engaged = user_days[user_days["engaged"] > 0].merge(joined[["user_id", "cohort"]], on="user_id")
    engaged = engaged.assign(month=_month(engaged["day"]) - engaged["cohort"])
    active = engaged[engaged["month"] >= 0].groupby(["cohort", "month"])["user_id"].nunique()
    newest = int(_month(user_days["day"]).max())
    index = [(cohort, k) for cohort in sizes.index for k in range(min(months, newest - cohort) + 1)]
    if not index:
        return pd.DataFrame(columns=columns)
    grid = pd.MultiIndex.from_tuples(index, names=["cohort", "month"])
    table = active.reindex(grid, fill_value=0).rename("engaged").reset_index()
    table = table.assign(people=table["cohort"].map(sizes).astype("int64"))
    low, high = wilson(table["engaged"], table["people"])
    named = [f"{cohort // 12:04d}-{cohort % 12 + 1:02d}" for cohort in table["cohort"]]
    table = table.assign(
        share=table["engaged"] / table["people"], low=low, high=high,
        shown=table["people"] >= HIDDEN_BELOW, cohort=pd.Series(named, dtype="str"),
    )  # fmt: skip
    return table[columns]


def _month(at: "pd.Series[pd.Timestamp]") -> "pd.Series[int]":
    return at.dt.year.astype("int64") * 12 + at.dt.month.astype("int64") - 1


def funnel(counts: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Rows (group …, step, count, of, share, low, high) from `rates.count` tables; a step out of nothing has NaN."""
    require_columns(counts, _FUNNEL | {name: Column(Kind.KEY, nullable=True) for name in by})
    grouped = (
        counts.groupby(list(by), observed=True)[list(_FUNNEL)].sum().reset_index()
        if by
        else counts[list(_FUNNEL)].sum().to_frame().T
    )
    tables = []
    for step, before in STEPS:
        reached = grouped[step].to_numpy(dtype=float)
        base = grouped[before or step].to_numpy(dtype=float)
        low, high = wilson(reached, base)
        with np.errstate(invalid="ignore"):
            share = reached / base
        names = pd.Series([step] * len(grouped), dtype="str")
        tables.append(
            grouped[list(by)].assign(
                step=names,
                count=reached.astype("int64"),
                of=base.astype("int64"),
                share=share,
                low=low,
                high=high,
            )
        )
    return pd.concat(tables, ignore_index=True)
