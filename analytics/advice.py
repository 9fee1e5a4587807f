"""Two honest recommendations: what the month's own figures say would help most, never a thing that they do not show.

Each rule looks at the figures and names an amount per month that is at stake; the two largest are told. Words are the
template's business: an advice is a kind, a name and amounts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from analytics.finance import MonthFigures

MOST = 2
NOTEWORTHY = Decimal(20)
"""Less per month is not worth a recommendation."""
ABOVE_USUAL = Decimal("1.15")


@dataclass(frozen=True, slots=True)
class Advice:
    """`kind` names the sentence; `amount` is what is at stake per month, `than` what it is measured against."""

    kind: str
    name: str
    amount: Decimal
    than: Decimal


def advice(figures: MonthFigures) -> Sequence[Advice]:
    """The two pieces with most at stake, at most one per subject; praise only when there is nothing to mend."""
    found = sorted((each for rule in _RULES for each in rule(figures)), key=lambda each: -each.amount)
    told: dict[str, Advice] = {}
    for each in found:
        told.setdefault(each.name, each)
    chosen = list(told.values())[:MOST]
    if len(chosen) < MOST:
        chosen += list(_what_went_well(figures))[: MOST - len(chosen)]
    return chosen


def _more_than_came(figures: MonthFigures) -> Iterator[Advice]:
    if figures.income > 0 and figures.net < 0:
        yield Advice("more_out_than_in", "", -figures.net, figures.income)


def _above_usual(figures: MonthFigures) -> Iterator[Advice]:
    for row in figures.categories:
        if row.usual and row.spent > row.usual * ABOVE_USUAL and row.spent - row.usual >= NOTEWORTHY:
            yield Advice("above_usual", row.name, row.spent - row.usual, row.usual)


def _over_budget(figures: MonthFigures) -> Iterator[Advice]:
    for row in figures.categories:
        if row.budget and row.spent - row.budget >= NOTEWORTHY:
            yield Advice("over_budget", row.name, row.spent - row.budget, row.budget)


def _dearer(figures: MonthFigures) -> Iterator[Advice]:
    for charge in figures.recurring:
        if charge.rose_by > 0:
            yield Advice("dearer", charge.name, charge.rose_by, charge.amount)


def _late_goal(figures: MonthFigures) -> Iterator[Advice]:
    for goal in figures.goals:
        if goal.is_late and goal.needed:
            more = goal.needed - (goal.pace or Decimal(0))
            if more >= NOTEWORTHY:
                yield Advice("goal_late", goal.name, more, goal.needed)


def _what_went_well(figures: MonthFigures) -> Iterator[Advice]:
    if figures.net > 0:
        yield Advice("kept", "", figures.net, figures.income)
    below = [row for row in figures.categories if row.usual and row.usual - row.spent >= NOTEWORTHY]
    for row in sorted(below, key=lambda row: row.spent - (row.usual or 0))[:1]:
        yield Advice("below_usual", row.name, (row.usual or row.spent) - row.spent, row.usual or row.spent)


_RULES: Sequence[Callable[[MonthFigures], Iterator[Advice]]] = (
    _more_than_came,
    _above_usual,
    _over_budget,
    _dearer,
    _late_goal,
)
