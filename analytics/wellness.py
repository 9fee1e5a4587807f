"""The wellness score: five parts that anybody can check with a pencil, each told with its reason.

A part that can't be known (no budget, no goal, no income) is left out and the others are scaled to 100; with less than
half of the weight known there is no score at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from analytics.finance import MonthFigures

LEAST_WEIGHT = 50
Measured = tuple[Decimal, Decimal] | None
"""(share of the part's points, the value that it comes from), or None when it can't be known."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a score: the share (0 to 1) of its `weight` that was earned, and the measured `value` that earned it.

    The value is for the words: percent kept of the income, money over budget, percent of the usual spending, bills
    overdue, goals behind.
    """

    name: str
    share: Decimal
    weight: int
    value: Decimal

    @property
    def points(self) -> int:
        """Its points of `weight`, rounded half to even."""
        return round(self.share * self.weight)


@dataclass(frozen=True, slots=True)
class Score:
    """0 to 100; `parts` are the known ones."""

    value: int
    parts: Sequence[Part]


def wellness(figures: MonthFigures) -> Score | None:
    """The score of a month; None when less than half of its weight can be known."""
    parts = [
        Part(name, min(Decimal(1), max(Decimal(0), found[0])), weight, found[1])
        for name, weight, measure in _PARTS
        if (found := measure(figures)) is not None
    ]
    known = sum(part.weight for part in parts)
    if known < LEAST_WEIGHT:
        return None
    return Score(round(sum((part.share * part.weight for part in parts), Decimal(0)) * 100 / known), parts)


def _saved(figures: MonthFigures) -> Measured:
    """Full when a fifth of the income is left over (the 50/30/20 rule), none when nothing is."""
    if figures.income <= 0:
        return None
    kept = figures.net / figures.income
    return kept * 5, kept * 100


def _within_budget(figures: MonthFigures) -> Measured:
    """Full when no budget is exceeded; what is over counts against all budgets together."""
    planned = [row for row in figures.categories if row.budget is not None]
    total = sum((row.budget for row in planned if row.budget), Decimal(0))
    over = sum((max(Decimal(0), row.spent - row.budget) for row in planned if row.budget), Decimal(0))
    return (1 - over / total, over) if total else None


def _steady(figures: MonthFigures) -> Measured:
    """Full up to the usual spending, none from one and a half times of it on."""
    if not figures.usual_spending:
        return None
    against = figures.spending / figures.usual_spending
    return (Decimal("1.5") - against) * 2, against * 100


def _on_time(figures: MonthFigures) -> Measured:
    """Full without an overdue bill; each takes half."""
    overdue = Decimal(figures.overdue_bills)
    return 1 - overdue / 2, overdue


def _towards_goals(figures: MonthFigures) -> Measured:
    """Full when every goal is reached or on its way in time; a goal without a pace counts by how far it is."""
    if not figures.goals:
        return None
    fine = [goal.is_reached or (goal.expected is not None and not goal.is_late) for goal in figures.goals]
    shares = [
        Decimal(1) if is_fine else Decimal(goal.percent) / 100
        for goal, is_fine in zip(figures.goals, fine, strict=True)
    ]
    return sum(shares, Decimal(0)) / len(shares), Decimal(fine.count(False))


_PARTS: Sequence[tuple[str, int, Callable[[MonthFigures], Measured]]] = (
    ("saved", 30, _saved),
    ("within_budget", 25, _within_budget),
    ("steady", 15, _steady),
    ("on_time", 15, _on_time),
    ("goals", 15, _towards_goals),
)
