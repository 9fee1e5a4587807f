"""Milestones worth a message: birthdays, goals half-way and reached, months in a row with something left over."""

from calendar import isleap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from analytics.finance import OWN_ACCOUNTS
from analytics.months import Month

MARKS = {"goal_reached": (100, None), "goal_half_way": (50, 75)}
"""Kind → from how many percent on, and below how many it would sound late."""
STREAKS = (3, 6, 12)
"""Months in a row."""


@dataclass(frozen=True, slots=True)
class GoalState:
    """A goal as the app knows it."""

    id: UUID
    name: str
    saved: Decimal
    target: Decimal


@dataclass(frozen=True, slots=True)
class Milestone:
    """What happened; `key` is the same for the same milestone for ever, so that it is told once."""

    kind: str
    key: str
    name: str = ""
    amount: Decimal | None = None
    target: Decimal | None = None
    months: int = 0


def birthday(born: date | None, today: date) -> Iterator[Milestone]:
    """Today's birthday; those of 29 February have it on the 28th in common years."""
    if born is None:
        return
    day = (born.month, born.day)
    if day == (2, 29) and not isleap(today.year):
        day = (2, 28)
    if (today.month, today.day) == day:
        yield Milestone("birthday", f"birthday-{today.year}")


def goal_marks(goals: Sequence[GoalState]) -> Iterator[Milestone]:
    """The mark that each goal is at, reached goals first; a goal with a corrupt amount has none."""
    sound = [goal for goal in goals if goal.saved.is_finite() and goal.target.is_finite() and goal.target > 0]
    for kind, (mark, below) in MARKS.items():
        for goal in sound:
            percent = goal.saved * 100 / goal.target
            if percent >= mark and (below is None or percent < below):
                yield Milestone(kind, f"goal-{goal.id}-{mark}", goal.name, goal.saved, goal.target)


def streak(months: int, last: Month) -> Iterator[Milestone]:
    """A streak that has just become three, six or twelve months long, at the end of month `last`."""
    if months in STREAKS:
        yield Milestone("streak", f"streak-{months}-{last.plus(1 - months)}", months=months)


def months_in_a_row(transactions: pd.DataFrame, last: Month) -> dict[str, int]:
    """By user, how many months up to `last` ended with more in than out; a month without movements ends the row."""
    corrupt = transactions.loc[transactions["cents"].isna(), "user_id"].unique()
    category = transactions["category"].str.strip().str.lower()
    moved = transactions[~transactions["user_id"].isin(corrupt) & ~category.isin(OWN_ACCOUNTS)]
    days = moved["day"].to_numpy(dtype="int64").astype("datetime64[D]")
    moved = moved.assign(
        month=days.astype("datetime64[M]").astype("int64"), cents=moved["cents"].astype("int64")
    )
    moved = moved[moved["month"] <= last.index]
    if moved.empty:
        return {}
    table: Any = moved.pivot_table(
        index="user_id", columns="month", values="cents", aggfunc="sum", fill_value=0
    )
    table = table.reindex(columns=range(last.index - max(STREAKS), last.index + 1), fill_value=0)
    good = table.to_numpy()[:, ::-1] > 0
    lengths = np.where(good.all(axis=1), good.shape[1], np.argmin(good, axis=1))
    return dict(zip(table.index, map(int, lengths), strict=True))
