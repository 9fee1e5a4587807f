"""The weekly check-in: one question, chosen by where a person's wellness is heading, with the week's own numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from zlib import crc32

import pandas as pd

from analytics.finance import OWN_ACCOUNTS
from analytics.money import dollars

WEEKS = 8
"""A usual week is the median of the eight before."""
FEWEST_WEEKS = 3
MOVED = 5
"""Points of the score from one month to the next that make a trend."""

QUESTIONS: Mapping[str, Sequence[str]] = {
    "rising": (
        "Your wellness score went up last month. Which habit would you like to keep?",
        "Things are moving in a good direction. What made the difference?",
        "A good stretch. Is there a goal you would like to bring closer with it?",
    ),
    "steady": (
        "How did your spending feel this week, 1 to 5?",
        "What was this week's best use of your money?",
        "Is there a payment coming up that worries you?",
        "Did you buy something this week that you would not buy again?",
    ),
    "falling": (
        "Last month was harder than the one before. What got in the way?",
        "What is one expense that you could skip next week?",
        "Would a smaller goal help right now?",
    ),
    "unknown": (
        "How do you feel about your money this week, 1 to 5?",
        "What would you like to know about your money?",
    ),
}


@dataclass(frozen=True, slots=True)
class Week:
    """Spending of the last seven days and of a usual week (None with too little history)."""

    spent: Decimal
    usual: Decimal | None


def weeks(transactions: pd.DataFrame, until: date) -> dict[str, Week]:
    """By user, the seven days before `until`; users with a corrupt movement are left out."""
    corrupt = transactions.loc[transactions["cents"].isna(), "user_id"].unique()
    last = (until - date(1970, 1, 1)).days - 1
    category = transactions["category"].str.strip().str.lower()
    moved = transactions[
        ~transactions["user_id"].isin(corrupt) & (transactions["cents"] < 0) & ~category.isin(OWN_ACCOUNTS)
    ]
    moved = moved.assign(week=(last - moved["day"]) // 7, cents=-moved["cents"].astype("int64"))
    moved = moved[moved["week"].between(0, WEEKS)]
    if moved.empty:
        return {}
    table = moved.pivot_table(index="user_id", columns="week", values="cents", aggfunc="sum", fill_value=0)
    table = table.reindex(columns=range(WEEKS + 1), fill_value=0)
    oldest = moved.groupby("user_id")["week"].max()
    past = table.iloc[:, 1:]
    known = past.columns.to_numpy()[None, :] <= oldest.to_numpy()[:, None]
    usual = past.where(known).median(axis=1).where(oldest >= FEWEST_WEEKS)
    return {
        user: Week(dollars(spent), None if pd.isna(often) else dollars(often))
        for user, spent, often in zip(table.index, table[0], usual, strict=True)
    }


def trend(before: int | None, after: int | None) -> str:
    """Where the wellness score is heading from one month to the next: rising, steady, falling or unknown."""
    if before is None or after is None:
        return "unknown"
    if abs(after - before) < MOVED:
        return "steady"
    return "rising" if after > before else "falling"


def question(direction: str, user: str, week: int) -> str:
    """A question of that trend; a person meets all of them before one comes again, and neighbours get different ones."""
    choice = QUESTIONS[direction]
    return choice[(crc32(user.encode()) + week) % len(choice)]
