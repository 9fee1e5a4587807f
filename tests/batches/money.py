"""Frames of money written by hand: Maya's July 2025, of which every figure in the tests is worked out on paper."""

from datetime import date
from typing import Any

import pandas as pd

from analytics.finance_load import Money
from analytics.months import Month

JULY = Month.parse("2025-07")
EPOCH = date(1970, 1, 1)


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def transactions(*rows: tuple[str, str, int | None, str, str]) -> pd.DataFrame:
    """(user, "2025-07-01", cents, category, merchant)"""
    frame = pd.DataFrame(rows, columns=["user_id", "booked", "cents", "category", "merchant"])
    frame["day"] = [day(text) for text in frame.pop("booked")]
    return frame.astype({"cents": "Int64" if frame["cents"].isna().any() else "int64"})


def money(
    moved: pd.DataFrame,
    budgets: tuple[tuple[str, str, int], ...] = (),
    goals: tuple[tuple[Any, ...], ...] = (),
    overdue: tuple[tuple[str, int], ...] = (),
) -> Money:
    columns = ["user_id", "name", "target", "saved", "due_day", "created_day"]
    numbers = dict.fromkeys(["target", "saved", "created_day"], "int64")
    return Money(
        moved,
        pd.DataFrame(list(budgets), columns=["user_id", "category", "cents"]).astype({"category": "str"}),
        pd.DataFrame(list(goals), columns=columns).astype(numbers | {"due_day": "float64"}),
        pd.DataFrame(list(overdue), columns=["user_id", "overdue"]),
    )


def mayas_months() -> list[tuple[str, str, int | None, str, str]]:
    """January to July: 3,000 in; rent 1,200; Netflix 9.99, from July 10.99; dining 100, 200 … 700; 150 put by."""
    rows: list[tuple[str, str, int | None, str, str]] = []
    for month in range(1, 8):
        rows += [
            ("maya", f"2025-{month:02d}-01", 300_000, "income", "Payroll"),
            ("maya", f"2025-{month:02d}-03", -120_000, "housing", "Rent"),
            ("maya", f"2025-{month:02d}-09", -1099 if month == 7 else -999, "Subscriptions", "Netflix"),
            ("maya", f"2025-{month:02d}-11", -10_000 * month, "dining", "Bistro"),
            ("maya", f"2025-{month:02d}-12", -15_000, "savings", "Piggy bank"),
        ]
    return rows
