"""Charges that come back: the same payee, about the same amount, about once a month."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd

from analytics.money import dollars
from analytics.months import Month

FEWEST_CHARGES = 3
GAP_DAYS = (26, 35)
"""The median distance of monthly charges; months have 28 to 31 days and bookings slip over a weekend."""
STEADY = 0.15
"""How far from the median an amount may lie (as a share of it): a price rise does, a shop's bills do not."""


@dataclass(frozen=True, slots=True)
class Recurring:
    """A charge found to come monthly; `rose_by` since the charge before (0 when it did not)."""

    name: str
    amount: Decimal
    rose_by: Decimal


def recurring_charges(spent: pd.DataFrame, month: Month) -> dict[str, Sequence[Recurring]]:
    """By user, dearest first, those charged in `month`; `spent` has user_id, merchant, month, day and positive cents."""
    named = spent[spent["merchant"] != ""].sort_values(["user_id", "merchant", "day"])
    keys = ["user_id", "merchant"]
    gap = named.groupby(keys)["day"].diff()
    groups = named.assign(gap=gap).groupby(keys)
    facts = groups.agg(
        charges=("cents", "size"),
        months=("month", "nunique"),
        newest=("month", "max"),
        gap=("gap", "median"),
        low=("cents", "min"),
        middle=("cents", "median"),
        high=("cents", "max"),
        last=("cents", "last"),
    )
    facts["before"] = (
        groups["cents"]
        .nth(-2)
        .set_axis(pd.MultiIndex.from_frame(named.loc[groups["cents"].nth(-2).index, keys]))
    )
    steady = (facts["high"] <= facts["middle"] * (1 + STEADY)) & (
        facts["low"] >= facts["middle"] * (1 - STEADY)
    )
    monthly = facts[
        (facts["charges"] >= FEWEST_CHARGES)
        & (facts["charges"] == facts["months"])
        & facts["gap"].between(*GAP_DAYS)
        & (facts["newest"] == month.index)
        & steady
    ].sort_values("last", ascending=False)
    found: dict[str, list[Recurring]] = {}
    for (user, name), last, before in zip(monthly.index, monthly["last"], monthly["before"], strict=True):
        found.setdefault(user, []).append(Recurring(name, dollars(last), dollars(max(0, last - before))))
    return {user: tuple(each) for user, each in found.items()}
