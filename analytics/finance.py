"""A month of people's money: what came in, what went out and for what, against the month before and what is usual.

All users of a set go through each statistic together (pandas on whole cents); the results are values per user.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from analytics.finance_load import Money
from analytics.goals import GoalFigure, goal_figures
from analytics.money import dollars
from analytics.months import Month
from analytics.recurring import Recurring, recurring_charges

USUAL_MONTHS = 6
"""What is usual is the median of the six months before."""
FEWEST_MONTHS = 3
"""With fewer months of history nothing is called usual."""
LARGEST = 3
OWN_ACCOUNTS = ("transfer", "savings")
"""Categories of money that moves between a person's own accounts: neither income nor spending."""
UNNAMED = "other"


@dataclass(frozen=True, slots=True)
class CategoryFigure:
    """Spending of one category: this month, the month before and the usual (None when unknown), the budget (or None)."""

    name: str
    spent: Decimal
    before: Decimal | None
    usual: Decimal | None
    budget: Decimal | None


@dataclass(frozen=True, slots=True)
class Movement:
    """One transaction; `day` counts from 1 within the month."""

    day: int
    name: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """One person's month. `cash_flow` is the running sum of all movements at the end of each day.

    `usual_…` are medians of the six months before (None with fewer than three of them), `…_before` the month before
    (None when nothing is known of it).
    """

    user_id: str
    month: Month
    income: Decimal
    spending: Decimal
    income_before: Decimal | None
    spending_before: Decimal | None
    usual_income: Decimal | None
    usual_spending: Decimal | None
    usual_net: Decimal | None
    categories: Sequence[CategoryFigure]
    cash_flow: Sequence[Decimal]
    largest: Sequence[Movement]
    recurring: Sequence[Recurring]
    goals: Sequence[GoalFigure]
    overdue_bills: int

    @property
    def net(self) -> Decimal:
        """What was left over: income − spending."""
        return self.income - self.spending


@dataclass(frozen=True, slots=True)
class MonthResult:
    """The figures by user, and why there are none for the others."""

    figures: Mapping[str, MonthFigures]
    skipped: Mapping[str, str]


def window_of(month: Month) -> tuple[Month, Month]:
    """[first, end) of the months that a report of `month` needs."""
    return month.plus(-USUAL_MONTHS), month.plus(1)


def month_figures(month: Month, users: Sequence[str], money: Money) -> MonthResult:
    """Each user's figures of `month`; a user without a movement in it, or with a corrupt one, is skipped with a reason."""
    moved = _clean(money.transactions)
    corrupt = set(moved.loc[moved["cents"].isna(), "user_id"])
    moved = moved[~moved["user_id"].isin(corrupt)].astype({"cents": "int64"})
    present = set(moved.loc[moved["month"] == month.index, "user_id"])
    moved = moved[moved["user_id"].isin(present)]
    figures = _figures(month, moved, money) if present else {}
    skipped = {
        user: "a transaction has no readable amount" if user in corrupt else f"no transactions in {month}"
        for user in users
        if user not in figures
    }
    return MonthResult(figures, skipped)


def _clean(transactions: pd.DataFrame) -> pd.DataFrame:
    days = transactions["day"].to_numpy(dtype="int64").astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    category = transactions["category"].str.strip().str.lower()
    return transactions.assign(
        month=months.astype("int64"),
        day_of_month=(days - months.astype("datetime64[D]")).astype("int64") + 1,
        category=category.where(category != "", UNNAMED),
        merchant=transactions["merchant"].str.strip(),
    )


def _figures(month: Month, moved: pd.DataFrame, money: Money) -> dict[str, MonthFigures]:
    users = moved["user_id"].unique()
    first = moved.groupby("user_id")["month"].min()
    outside = moved[~moved["category"].isin(OWN_ACCOUNTS)]
    spent = outside[outside["cents"] < 0].assign(cents=lambda frame: -frame["cents"])
    income = _by_month(outside[outside["cents"] > 0], ["user_id"], month).reindex(users, fill_value=0)
    spending = _by_month(spent, ["user_id"], month).reindex(users, fill_value=0)
    by_category = _by_month(spent, ["user_id", "category"], month)
    usual_income = _usual(income, first.reindex(users))
    usual_spending = _usual(spending, first.reindex(users))
    usual_net = _usual(income - spending, first.reindex(users))
    usual_category = _usual(by_category, first.reindex(by_category.index.get_level_values(0)))
    has_past = frozenset(first.index[first < month.index])
    categories = _categories(by_category, usual_category, money.budgets, month, has_past)
    flow = _cash_flow(moved[moved["month"] == month.index], users, month)
    largest = _largest(outside[outside["month"] == month.index])
    recurring = recurring_charges(spent, month)
    goals = goal_figures(money.goals, dict(zip(users, usual_net, strict=True)), month)
    overdue = dict(zip(money.overdue["user_id"], money.overdue["overdue"], strict=True))
    return {
        user: MonthFigures(
            user_id=user,
            month=month,
            income=dollars(came),
            spending=dollars(went),
            income_before=dollars(came_before) if user in has_past else None,
            spending_before=dollars(went_before) if user in has_past else None,
            usual_income=_or_none(often_came),
            usual_spending=_or_none(often_spent),
            usual_net=_or_none(often_left),
            categories=categories.get(user, ()),
            cash_flow=tuple(map(dollars, line)),
            largest=largest.get(user, ()),
            recurring=recurring.get(user, ()),
            goals=goals.get(user, ()),
            overdue_bills=int(overdue.get(user, 0)),
        )
        for user, came, went, came_before, went_before, often_came, often_spent, often_left, line in zip(
            users, income[month.index], spending[month.index], income[month.index - 1], spending[month.index - 1],
            usual_income, usual_spending, usual_net, flow, strict=True,
        )
    }  # fmt: skip


def _by_month(moved: pd.DataFrame, keys: list[str], month: Month) -> pd.DataFrame:
    """One row per key, one column per month of the window, sums of cents."""
    table = moved.pivot_table(index=keys, columns="month", values="cents", aggfunc="sum", fill_value=0)
    return table.reindex(columns=range(month.index - USUAL_MONTHS, month.index + 1), fill_value=0)


def _usual(by_month: pd.DataFrame, first: "pd.Series[Any]") -> "pd.Series[Any]":
    """The median over the months before, from the person's first month on; NaN when they are too few."""
    past = by_month.iloc[:, :USUAL_MONTHS]
    known = past.columns.to_numpy()[None, :] >= first.to_numpy()[:, None]
    return past.where(known).median(axis=1).where(known.sum(axis=1) >= FEWEST_MONTHS)


def _categories(
    by_category: pd.DataFrame,
    usual: "pd.Series[Any]",
    budgets: pd.DataFrame,
    month: Month,
    has_past: Collection[str],
) -> dict[str, tuple[CategoryFigure, ...]]:
    """Largest first; a category counts when money was spent on it this month, or usually is."""
    budget = dict(
        zip(
            zip(budgets["user_id"], budgets["category"].str.lower(), strict=True),
            budgets["cents"],
            strict=True,
        )
    )
    found: dict[str, list[CategoryFigure]] = {}
    rows = zip(by_category.index, by_category[month.index], by_category[month.index - 1], usual, strict=True)
    for (user, name), spent, before, often in rows:
        if spent or before or often > 0:
            found.setdefault(user, []).append(
                CategoryFigure(
                    name,
                    dollars(spent),
                    dollars(before) if user in has_past else None,
                    _or_none(often),
                    _or_none(budget.get((user, name), np.nan)),
                )
            )
    return {user: tuple(sorted(each, key=lambda row: -row.spent)) for user, each in found.items()}


def _cash_flow(moved: pd.DataFrame, users: Any, month: Month) -> Any:
    """users × days of running sums."""
    line = np.zeros((len(users), month.days), dtype=np.int64)
    places = pd.Index(users).get_indexer(moved["user_id"])
    np.add.at(line, (places, moved["day_of_month"].to_numpy() - 1), moved["cents"].to_numpy())
    return line.cumsum(axis=1)


def _largest(moved: pd.DataFrame) -> dict[str, tuple[Movement, ...]]:
    ordered = moved.assign(size=moved["cents"].abs()).sort_values(
        ["size", "day_of_month"], ascending=[False, True]
    )
    found: dict[str, list[Movement]] = {}
    for user, day, merchant, category, cents in (
        ordered.groupby("user_id").head(LARGEST)[["user_id", "day_of_month", "merchant", "category", "cents"]]
        .itertuples(index=False, name=None)
    ):  # fmt: skip
        found.setdefault(user, []).append(Movement(day, merchant or category, dollars(cents)))
    return {user: tuple(each) for user, each in found.items()}


def _or_none(cents: float) -> Decimal | None:
    return None if np.isnan(cents) else dollars(cents)
