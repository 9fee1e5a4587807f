"""Savings goals: how far they are, when they will be reached at the present pace, and what a due date would ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from analytics.money import dollars
from analytics.months import Month

DAYS_PER_MONTH = 30.44
YOUNGEST_DAYS = 60
"""A goal younger than this has no pace of its own."""
FARTHEST_MONTHS = 120
"""Beyond ten years a projection says nothing."""
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class GoalFigure:
    """One goal at the end of a month; `percent` is cut at 100.

    `pace` is money per month: the goal's own since it was set, else (`pace_is_own` False) its share of what is usually
    left over; None when neither is known or positive. `expected` is the month in which the pace gets there.
    `needed` per month would reach it by `due_on`.
    """

    name: str
    saved: Decimal
    target: Decimal
    percent: int
    due_on: date | None
    pace: Decimal | None
    pace_is_own: bool
    expected: Month | None
    needed: Decimal | None

    @property
    def is_reached(self) -> bool:
        """True when all of it is saved."""
        return self.saved >= self.target

    @property
    def is_late(self) -> bool:
        """True when the pace will not reach it by its due date."""
        if self.is_reached or self.due_on is None:
            return False
        return self.expected is None or self.expected > Month.of(self.due_on)


def goal_figures(
    goals: pd.DataFrame, usual_net: Mapping[str, float], month: Month
) -> dict[str, Sequence[GoalFigure]]:
    """By user, in the order given. `usual_net` is what a user usually has left over per month, in cents or NaN.

    Goals have no history of deposits, so a pace is saved ÷ age; younger goals share the left-over by what they lack.
    """
    last_day = (month.end - EPOCH).days - 1
    goals = goals[(goals["target"] > 0) & (goals["created_day"] <= last_day)]
    lacking = (goals["target"] - goals["saved"]).clip(lower=0)
    age = last_day - goals["created_day"] + 1
    own = (goals["saved"] / (age / DAYS_PER_MONTH)).where((age >= YOUNGEST_DAYS) & (goals["saved"] > 0))
    left_over = goals["user_id"].map(usual_net).astype(float)
    share = (left_over * lacking / lacking.groupby(goals["user_id"]).transform("sum")).where(left_over > 0)
    pace = own.fillna(share).where(lacking > 0)
    months = np.ceil(lacking / pace.where(pace > 0))
    found: dict[str, list[GoalFigure]] = {}
    rows = zip(
        goals["user_id"], goals["name"], goals["saved"], goals["target"], goals["due_day"], lacking, pace, own, months,
        strict=True,
    )  # fmt: skip
    for user, name, saved, target, due_day, missing, monthly, its_own, ahead in rows:
        due_on = None if pd.isna(due_day) else EPOCH + timedelta(days=int(due_day))
        found.setdefault(user, []).append(
            GoalFigure(
                name=name,
                saved=dollars(saved),
                target=dollars(target),
                percent=min(100, max(0, int(saved * 100 // target))),
                due_on=due_on,
                pace=None if pd.isna(monthly) or monthly <= 0 else dollars(monthly),
                pace_is_own=not pd.isna(its_own),
                expected=None if pd.isna(ahead) or ahead > FARTHEST_MONTHS else month.plus(int(ahead)),
                needed=_needed(missing, due_on, month),
            )
        )
    return {user: tuple(each) for user, each in found.items()}


def _needed(missing: int, due_on: date | None, month: Month) -> Decimal | None:
    if due_on is None or missing <= 0 or due_on < month.end:
        return None
    return dollars(missing / max(1, Month.of(due_on).index - month.index))
