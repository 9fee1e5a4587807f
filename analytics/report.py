"""A month's figures as the payload of a report: names and amounts only; words, money and dates are the template's."""

import base64
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from analytics.advice import advice
from analytics.charts import Chart
from analytics.finance import CategoryFigure, MonthFigures
from analytics.goals import GoalFigure
from analytics.wellness import Score, wellness

MOST_CATEGORIES = 8
MOST_GOALS = 4
MOST_RECURRING = 6


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
    if figures.usual_spending is not None:
        payload["usual_spending"] = str(figures.usual_spending)
    return payload | _scored(wellness(figures)) | _pictured(charts)


def label(name: str) -> str:
    """A category as a person reads it: `dining_out` is Dining out."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _category(row: CategoryFigure) -> dict[str, str]:
    change = row.spent - row.before
    return {
        "name": label(row.name),
        "amount": str(row.spent),
        "usual": str(row.usual or ""),
        "change": str(abs(change)),
        "moved": "up" if change > 0 else "down" if change < 0 else "same",
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
    parts = [{"kind": part.name, "points": part.points, "weight": part.weight} for part in score.parts]
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
