"""A month's figures as the payload of a report: names and amounts only; words, money and dates are the template's."""

import base64
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from analytics.advice import advice
from analytics.charts import Chart
from analytics.finance import CategoryFigure, MonthFigures
from analytics.goals import GoalFigure
from analytics.wellness import Score, wellness

MOST_CATEGORIES = 8
MOST_GOALS = 4
MOST_RECURRING = 6
WEEK, MONEY_PLACES = 7, 2


def payload_of(figures: MonthFigures, charts: Sequence[Chart] = ()) -> dict[str, Any]:
    """The payload of message type monthly_report; charts become inline images of the mail."""
    first = figures.month.first
    payload: dict[str, Any] = {
        "month": str(figures.month),
        "income": str(figures.income),
        "spending": str(figures.spending),
        "savings": str(figures.net),
        "categories": [_category(row) for row in figures.categories if row.spent > 0][:MOST_CATEGORIES],
        "movements": [
            {
                "day": (first + timedelta(days=each.day - 1)).isoformat(),
                "name": label(each.name),
                "amount": str(each.amount),
            }
            for each in figures.largest
        ],
        "recurring": [
            {"name": label(each.name), "amount": str(each.amount), "rose_by": str(each.rose_by or "")}
            for each in figures.recurring[:MOST_RECURRING]
        ],
        "goals": [_goal(goal) for goal in figures.goals[:MOST_GOALS]],
        "advice": [
            {"kind": each.kind, "name": label(each.name), "amount": str(each.amount), "than": str(each.than)}
            for each in advice(figures)
        ],
    }
    known = {
        "usual_income": figures.usual_income,
        "usual_spending": figures.usual_spending,
        "income_before": figures.income_before,
        "spending_before": figures.spending_before,
    }
    payload |= {name: str(amount) for name, amount in known.items() if amount is not None}
    payload["cash_flow"] = _week_ends(figures)
    return payload | _scored(wellness(figures)) | _pictured(charts)


def label(name: str) -> str:
    """A category as a person reads it: `dining_out` is Dining out."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _week_ends(figures: MonthFigures) -> list[dict[str, str]]:
    """The cash flow at the end of each week and of the month: what the picture shows, for those who don't see it."""
    days = sorted({*range(WEEK, figures.month.days, WEEK), figures.month.days})
    return [
        {"day": figures.month.first.replace(day=day).isoformat(), "amount": str(figures.cash_flow[day - 1])}
        for day in days
    ]


def _category(row: CategoryFigure) -> dict[str, str]:
    return {
        "name": label(row.name),
        "amount": str(row.spent),
        "usual": str(row.usual or ""),
        **_change("change", "moved", row.spent, row.before),
        **_change("usual_change", "usual_moved", row.spent, row.usual),
    }


def _change(size: str, direction: str, amount: Decimal, against: Decimal | None) -> dict[str, str]:
    """How far and where an amount moved against another one; "unknown" without one."""
    if against is None:
        return {size: "", direction: "unknown"}
    change = amount - against
    return {
        size: str(abs(change)),
        direction: "up" if change > 0 else "down" if change < 0 else "same",
    }


def _goal(goal: GoalFigure) -> dict[str, Any]:
    return {
        "name": goal.name,
        "percent_reached": goal.percent,
        "saved": str(goal.saved),
        "target": str(goal.target),
        "expected": str(goal.expected or ""),
        "pace_is_own": goal.pace_is_own,
    }


def _scored(score: Score | None) -> dict[str, Any]:
    if score is None:
        return {}
    parts = [
        {
            "kind": part.name,
            "points": part.points,
            "weight": part.weight,
            "value": str(round(part.value, MONEY_PLACES if part.name == "within_budget" else 0)),
        }
        for part in score.parts
    ]
    return {"score": score.value, "score_parts": parts}


def _pictured(charts: Sequence[Chart]) -> dict[str, Any]:
    if not charts:
        return {}
    return {
        "charts": [{"content_id": chart.name, "alt": chart.alt} for chart in charts],
        "attachments": [
            {
                "filename": f"{chart.name}.png",
                "content_type": "image/png",
                "content": base64.b64encode(chart.png).decode(),
                "content_id": chart.name,
            }
            for chart in charts
        ],
    }
