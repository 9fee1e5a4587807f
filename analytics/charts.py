"""The three pictures of a report: bars of categories, the line of the month's cash, and the goals.

Pictures carry names and numbers and no words, so that they need no translation; the alternative text tells the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from analytics.canvas import INK, RED, SLATE, TEAL, WIDTH, Canvas, can_write, canvas, shortened, width_of
from analytics.finance import CategoryFigure, MonthFigures
from analytics.goals import GoalFigure

MOST_BARS = 6
MOST_GOALS = 4
ROW = 34
NAMES = 150
"""CSS pixels for the names at the left."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A PNG with the words that stand for it when it isn't shown."""

    name: str
    png: bytes
    alt: str


def charts_of(figures: MonthFigures, locale: str) -> list[Chart]:
    """The charts that the month has something to show for."""
    return [chart for draw in _CHARTS if (chart := draw(figures, locale)) is not None]


def category_bars(figures: MonthFigures, locale: str) -> Chart | None:
    """Spending by category, largest first, each with a thin bar for what is usual."""
    rows = [row for row in figures.categories if row.spent > 0][:MOST_BARS]
    if not rows:
        return None
    surface = _cleared(len(rows) * ROW)
    values = [_number(row.spent, locale) for row in rows]
    widest = max(map(width_of, values))
    longest = max(max(row.spent, row.usual or row.spent) for row in rows)
    room = WIDTH - NAMES - widest - 12
    for place, (row, value) in enumerate(zip(rows, values, strict=True)):
        middle = place * ROW + ROW / 2
        surface.text(0, middle, _name(row.name, place))
        surface.box(NAMES, middle - 8, float(row.spent / longest) * room, 12, TEAL)
        surface.box(NAMES, middle + 5, float((row.usual or Decimal(0)) / longest) * room, 3, SLATE)
        surface.text(WIDTH, middle, value, right=True)
    return Chart("categories", surface.png(), "Spending: " + "; ".join(_told(row, locale) for row in rows))


def cash_flow_line(figures: MonthFigures, locale: str) -> Chart | None:
    """The running sum of everything that came and went, day by day; a thin line marks zero."""
    values = [float(value) for value in figures.cash_flow]
    top, bottom = max(*values, 0.0), min(*values, 0.0)
    if top == bottom:
        return None
    surface = _cleared(170)
    labels = {at: _number(Decimal(at), locale) for at in (top, bottom, 0.0)}
    left = max(map(width_of, labels.values())) + 10
    across, down = (WIDTH - left - 12) / max(1, len(values) - 1), 124 / (top - bottom)
    points = [(left + day * across, 12 + (top - value) * down) for day, value in enumerate(values)]
    zero = 12 + top * down
    surface.area([(left, zero), *points, (points[-1][0], zero), (left, zero)], TEAL, alpha=0.18)
    surface.line([(left, zero), (points[-1][0], zero)], SLATE, width=1)
    surface.line(points, TEAL, width=2.5)
    colour = TEAL if values[-1] >= 0 else RED
    x, y = points[-1]
    surface.box(x - 4, y - 4, 8, 8, colour)
    for at, label in labels.items():
        if at == 0.0 or abs(at) * down > 16:
            surface.text(left - 8, 12 + (top - at) * down, label, right=True)
    for day in range(1, len(values) + 1, 7):
        surface.text(points[day - 1][0] - width_of(str(day)) / 2, 158, str(day))
    end = _number(figures.cash_flow[-1], locale)
    alt = f"Cash flow by day: highest {labels[top]}, lowest {labels[bottom]}, {end} at the end of the month"
    return Chart("cash-flow", surface.png(), alt)


def savings_progress(figures: MonthFigures, locale: str) -> Chart | None:
    """How far each goal is, in percent of its target."""
    goals = figures.goals[:MOST_GOALS]
    if not goals:
        return None
    surface = _cleared(len(goals) * ROW)
    room = WIDTH - NAMES - width_of("100 %") - 12
    for place, goal in enumerate(goals):
        middle = place * ROW + ROW / 2
        surface.text(0, middle, _name(goal.name, place))
        surface.box(NAMES, middle - 6, room, 12, SLATE, alpha=0.3)
        surface.box(NAMES, middle - 6, room * goal.percent / 100, 12, TEAL)
        surface.text(WIDTH, middle, f"{goal.percent} %", right=True, colour=TEAL if goal.is_reached else INK)
    return Chart("savings", surface.png(), "Goals: " + "; ".join(_told_goal(goal, locale) for goal in goals))


def _cleared(height: int) -> Canvas:
    surface = canvas(height)
    surface.clear()
    return surface


def _name(name: str, place: int) -> str:
    """The name as far as there is room; its place in the table below when its letters can't be drawn."""
    words = name.replace("_", " ")
    words = words[:1].upper() + words[1:]
    return shortened(words, NAMES - 10) if can_write(words) else f"#{place + 1}"


def _told(row: CategoryFigure, locale: str) -> str:
    usual = f" (usually {_number(row.usual, locale)})" if row.usual else ""
    return f"{row.name} {_number(row.spent, locale)}{usual}"


def _told_goal(goal: GoalFigure, locale: str) -> str:
    return f"{goal.name} {goal.percent} % of {_number(goal.target, locale)}"


def _number(amount: Decimal, locale: str) -> str:
    """A whole number with the locale's grouping."""
    text = f"{round(amount):,}".replace(",", _grouping(locale))
    return text.replace("-", "−")


@lru_cache(maxsize=64)
def _grouping(locale: str) -> str:
    from babel import Locale, UnknownLocaleError
    from babel.numbers import get_group_symbol

    try:
        symbol = str(get_group_symbol(Locale.parse(locale.replace("-", "_"))))
    except (UnknownLocaleError, ValueError):
        symbol = ","
    return symbol if symbol.isprintable() and symbol.isascii() else " "


_CHARTS: Sequence[Callable[[MonthFigures, str], Chart | None]] = (
    category_bars,
    cash_flow_line,
    savings_progress,
)
