"""The wellness score: five parts that anybody can check with a pencil, each told with its reason.

A part that can't be known (no budget, no goal, no income) is left out and the others are scaled to 100; with less than
half of the weight known there is no score at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from analytics.finance import MonthFigures

LEAST_WEIGHT = 50


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a score: what was measured (a share from 0 to 1) and what it can give at most."""

    name: str
    share: Decimal
    weight: int

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
        Part(name, min(Decimal(1), max(Decimal(0), share)), weight)
        for name, weight, measure in _PARTS
        if (share := measure(figures)) is not None
    ]
    known = sum(part.weight for part in parts)
    if known < LEAST_WEIGHT:
        return None
    return Score(round(sum((part.share * part.weight for part in parts), Decimal(0)) * 100 / known), parts)


def _saved(figures: MonthFigures) -> Decimal | None:
    """Full when a fifth of the income is left over (the 50/30/20 rule), none when nothing is."""
    return figures.net / figures.income * 5 if figures.income > 0 else None


def _within_budget(figures: MonthFigures) -> Decimal | None:
    """Full when no budget is exceeded; what is over counts against all budgets together."""
    planned = [row for row in figures.categories if row.budget is not None]
    total = sum((row.budget for row in planned if row.budget), Decimal(0))
    over = sum((max(Decimal(0), row.spent - row.budget) for row in planned if row.budget), Decimal(0))
    return 1 - over / total if total else None


def _steady(figures: MonthFigures) -> Decimal | None:
    """Full up to the usual spending, none from one and a half times of it on."""
    if not figures.usual_spending:
        return None
    return (Decimal("1.5") - figures.spending / figures.usual_spending) * 2


def _on_time(figures: MonthFigures) -> Decimal:
    """Full without an overdue bill; each takes half."""
    return 1 - Decimal(figures.overdue_bills) / 2


def _towards_goals(figures: MonthFigures) -> Decimal | None:
    """Full when every goal is reached or on its way in time; a goal without a pace counts by how far it is."""
    if not figures.goals:
        return None
    shares = [
        Decimal(1) if goal.is_reached or (goal.expected and not goal.is_late) else Decimal(goal.percent) / 100
        for goal in figures.goals
    ]
    return sum(shares, Decimal(0)) / len(shares)


_PARTS: Sequence[tuple[str, int, Callable[[MonthFigures], Decimal | None]]] = (
    ("saved", 30, _saved),
    ("within_budget", 25, _within_budget),
    ("steady", 15, _steady),
    ("on_time", 15, _on_time),
    ("goals", 15, _towards_goals),
)
