"""Which bills a person should hear of today: what is still to pay, by when, and as early as they wish."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

DEFAULT_LEAD_DAYS = (3, 1)
LONGEST_LEAD = 30
NATIONAL_BANKS = frozenset({"US"})
"""Countries whose banks keep the nation's holidays and not their state's (the Federal Reserve's calendar)."""
LONGEST_SHIFT = 10
"""No run of weekends and holidays is longer."""


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill as the app knows it."""

    name: str
    amount: Decimal
    paid: Decimal
    due_on: date
    autopay: bool


@dataclass(frozen=True, slots=True)
class DueBill:
    """What is left to pay of a bill; `pay_by` is the last banking day on or before `due_on`."""

    name: str
    left: Decimal
    paid: Decimal
    due_on: date
    pay_by: date


def due_bills(
    bills: Iterable[Bill], today: date, country: str, state: str, lead_days: Sequence[int] = DEFAULT_LEAD_DAYS
) -> list[DueBill]:
    """Those to remind of on `today`, earliest first: something is left, nobody pays it by itself, the lead fits."""
    found = []
    for bill in bills:
        left = bill.amount - bill.paid
        if left <= 0 or bill.autopay:
            continue
        pay_by = banking_day(bill.due_on, country, state)
        if (pay_by - today).days in lead_days:
            found.append(DueBill(bill.name, left, bill.paid, bill.due_on, pay_by))
    return sorted(found, key=lambda bill: (bill.pay_by, -bill.left, bill.name))


def banking_day(day: date, country: str, state: str = "") -> date:
    """`day`, or the last day before it that is no weekend and no public holiday of the place."""
    closed = _holidays(country, state)
    weekend = getattr(closed, "weekend", {5, 6})
    for back in range(LONGEST_SHIFT):
        earlier = day - timedelta(days=back)
        if earlier.weekday() not in weekend and earlier not in closed:
            return earlier
    return day


@lru_cache(maxsize=512)
def _holidays(country: str, state: str) -> Any:
    """The calendar of a place; that of the country when its part is unknown, none when the country is."""
    import holidays

    for part in (None if country in NATIONAL_BANKS else state or None, None):
        try:
            return holidays.country_holidays(country, subdiv=part)
        except NotImplementedError:
            continue
    return frozenset[date]()
