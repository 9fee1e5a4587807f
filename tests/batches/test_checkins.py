"""The weekly question and the week's numbers."""

from datetime import date
from decimal import Decimal

import pytest

from analytics.checkins import QUESTIONS, question, trend, weeks
from tests.batches.money import transactions

SUNDAY = date(2025, 7, 27)


def spent(user: str, *days: tuple[str, int]) -> list[tuple[str, str, int | None, str, str]]:
    return [(user, day, -cents, "fun", "Bar") for day, cents in days]


def test_the_week_is_the_seven_days_before_and_usual_the_median_of_eight() -> None:
    rows = spent(
        "maya", ("2025-07-20", 1000), ("2025-07-26", 500), ("2025-07-27", 9900),  # the 27th is not over
        ("2025-07-19", 2000), ("2025-07-12", 4000), ("2025-07-05", 6000),
    )  # fmt: skip
    found = weeks(transactions(*rows), SUNDAY)["maya"]
    assert (found.spent, found.usual) == (Decimal("15.00"), Decimal("40.00"))


def test_with_little_history_there_is_no_usual_week() -> None:
    found = weeks(transactions(*spent("noor", ("2025-07-26", 500), ("2025-07-12", 900))), SUNDAY)["noor"]
    assert (found.spent, found.usual) == (Decimal("5.00"), None)


def test_corrupt_movements_leave_their_owner_out_only() -> None:
    rows = [*spent("maya", ("2025-07-26", 500)), ("omar", "2025-07-26", None, "fun", "Bar")]
    assert set(weeks(transactions(*rows), SUNDAY)) == {"maya"}


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [(50, 55, "rising"), (50, 54, "steady"), (50, 46, "steady"), (50, 45, "falling"), (None, 50, "unknown"), (50, None, "unknown")],
)  # fmt: skip
def test_the_trend_of_the_score(before: int | None, after: int | None, direction: str) -> None:
    assert trend(before, after) == direction


@pytest.mark.parametrize("direction", QUESTIONS)
def test_no_question_comes_again_before_all_others_were_asked(direction: str) -> None:
    number = len(QUESTIONS[direction])
    assert len({question(direction, "user_maya", week) for week in range(number)}) == number
    assert len({question(direction, f"user_{n}", 1) for n in range(50)}) == number
