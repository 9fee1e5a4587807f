"""A month's figures as the payload of a report: names and amounts only; words, money and dates are the template's."""

from typing import Any

from analytics.advice import Advice, advice
from analytics.finance import MonthFigures
from analytics.wellness import wellness

MOST_CATEGORIES = 8
MOST_GOALS = 4


def payload_of(figures: MonthFigures) -> dict[str, Any]:
    """The payload of message type monthly_report."""
    score = wellness(figures)
    spent = [row for row in figures.categories if row.spent > 0]
    payload: dict[str, Any] = {
        "month": str(figures.month),
        "income": str(figures.income),
        "spending": str(figures.spending),
        "savings": str(figures.net),
        "categories": [
            {"name": label(row.name), "amount": str(row.spent)} for row in spent[:MOST_CATEGORIES]
        ],
        "goals": [
            {"name": goal.name, "percent_reached": goal.percent} for goal in figures.goals[:MOST_GOALS]
        ],
        "insights": [_words(each) for each in advice(figures)],
    }
    if score is not None:
        payload["insights"].insert(0, f"Your wellness score is {score.value} of 100.")
    return payload


def label(name: str) -> str:
    """A category as a person reads it: `dining_out` is Dining out."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _words(each: Advice) -> str:
    return _SENTENCES[each.kind].format(name=label(each.name), amount=each.amount, than=each.than)


_SENTENCES = {
    "more_out_than_in": "You spent ${amount} more than came in.",
    "above_usual": "{name} was ${amount} above your usual month (${than}).",
    "over_budget": "{name} went ${amount} over its budget of ${than}.",
    "dearer": "{name} charges ${amount} more than before (now ${than}).",
    "goal_late": "{name} will be late at this pace: it needs ${than} a month, ${amount} more than now.",
    "kept": "You kept ${amount} of what came in.",
    "below_usual": "{name} was ${amount} below your usual month.",
}
