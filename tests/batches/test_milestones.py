"""Birthdays, goals and streaks: what is told, and that it is told once."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from analytics.milestones import GoalState, birthday, goal_marks, months_in_a_row, streak
from analytics.months import Month
from core.database import transaction
from core.ids import new_id
from core.statements import execute, rows
from core.vocabulary import Channel
from delivery import Request, accept_many
from delivery.catalog import message_type
from delivery.content import Person, RenderRequest, render, validate_payload
from delivery.keys import period_key
from flows.audience import Recipient
from flows.batch_values import Draft, LeftOut
from flows.milestone_reminders import milestones, payload_of
from tests.batches.money import transactions
from tests.delivery.stage import person

LEAP = date(1996, 2, 29)
NOON = datetime(2025, 7, 10, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("born", "today", "is_today"),
    [
        (date(1990, 7, 10), date(2025, 7, 10), True),
        (date(1990, 7, 10), date(2025, 7, 11), False),
        (LEAP, date(2024, 2, 29), True),
        (LEAP, date(2024, 2, 28), False),
        (LEAP, date(2025, 2, 28), True),
        (LEAP, date(2025, 3, 1), False),
        (date(1996, 2, 28), date(2025, 2, 28), True),
        (None, date(2025, 2, 28), False),
    ],
)
def test_birthdays_and_the_29th_of_february(born: date | None, today: date, is_today: bool) -> None:
    assert [each.key for each in birthday(born, today)] == ([f"birthday-{today.year}"] if is_today else [])


@pytest.mark.parametrize(
    ("saved", "kind"),
    [("0", None), ("49.99", None), ("50", "goal_half_way"), ("74", "goal_half_way"), ("75", None), ("99.99", None),
     ("100", "goal_reached"), ("140", "goal_reached"), ("NaN", None)],
)  # fmt: skip
def test_goals_are_told_half_way_and_reached(saved: str, kind: str | None) -> None:
    goal = GoalState(UUID(int=7), "Car", Decimal(saved), Decimal(100))
    assert [each.kind for each in goal_marks([goal])] == ([kind] if kind else [])


def test_reached_goals_come_before_those_half_way() -> None:
    goals = [GoalState(UUID(int=n), str(n), Decimal(saved), Decimal(100)) for n, saved in ((1, 60), (2, 100))]
    assert [each.name for each in goal_marks(goals)] == ["2", "1"]


def test_streaks_count_back_from_the_last_month_until_one_was_bad() -> None:
    rows = [("maya", f"2025-{month:02d}-05", 100 if month != 3 else -100, "pay", "") for month in range(1, 8)]
    rows += [
        ("noor", "2025-07-05", 100, "pay", ""),
        ("noor", "2025-05-05", 100, "pay", ""),
    ]  # nothing in June
    rows += [("tom", "2025-07-05", 100, "savings", ""), ("dan", "2025-06-05", 100, "pay", "")]
    found = months_in_a_row(transactions(*rows), Month.parse("2025-07"))
    assert found == {"maya": 4, "noor": 1, "dan": 0}


def test_a_streak_is_told_at_three_six_and_twelve_months() -> None:
    july = Month.parse("2025-07")
    assert [each.key for months in range(14) for each in streak(months, july)] == [
        "streak-3-2025-05", "streak-6-2025-02", "streak-12-2024-08",
    ]  # fmt: skip


def recipient(user: str) -> Recipient:
    return Recipient(user, "en_US", "America/Chicago", frozenset({"sms", "email"}))


def test_the_same_milestone_is_never_told_twice_and_there_is_one_a_day(people: Any) -> None:
    people(person("Maya", 101, birthday=date(1990, 7, 10)))
    with transaction() as connection:
        execute(
            connection,
            "INSERT INTO goals (id, user_id, name, target, saved) VALUES (%s, 'user_maya', 'Car', 100, 100)",
            (new_id(),),
        )
    (first,) = milestones([recipient("user_maya")], NOON, dry_run=False)
    assert isinstance(first, Draft)
    assert first.payload["kind"] == "birthday"
    key = period_key("milestone_reminder", first.period or "", "user_maya")
    request = Request(
        user_id="user_maya", message_type="milestone_reminder", payload=first.payload, idempotency_key=key
    )
    accept_many([request], now=NOON)
    with transaction() as connection:
        execute(connection, "UPDATE notifications SET created_at = %s", (NOON,))
    (same_day,) = milestones([recipient("user_maya")], NOON, dry_run=False)
    assert same_day == LeftOut("user_maya", "one milestone a day", expected=True)
    (next_day,) = milestones([recipient("user_maya")], datetime(2025, 7, 11, 18, tzinfo=UTC), dry_run=False)
    assert isinstance(next_day, Draft)
    assert next_day.payload["kind"] == "goal_reached"


def test_a_birthday_does_not_wait_for_tomorrow(people: Any) -> None:
    people(person("Maya", 101, birthday=date(1990, 7, 10)))
    request = Request(
        user_id="user_maya",
        message_type="milestone_reminder",
        payload={"kind": "goal_half", "milestone": "Car"},
        idempotency_key=period_key("milestone_reminder", "goal-1-50", "user_maya"),
    )
    accept_many([request], now=NOON)
    with transaction() as connection:
        execute(connection, "UPDATE notifications SET created_at = %s", (NOON,))
    (found,) = milestones([recipient("user_maya")], NOON, dry_run=False)
    assert isinstance(found, Draft)
    assert found.payload["kind"] == "birthday"


def test_a_goal_is_noted_as_reached_once_and_a_corrupt_one_never(people: Any) -> None:
    people(person("Maya", 101))

    def reached() -> dict[str, datetime | None]:
        with transaction() as connection:
            return dict(rows(connection, "SELECT name, reached_at FROM goals"))

    with transaction() as connection:
        execute(
            connection,
            "INSERT INTO goals (id, user_id, name, target, saved) VALUES (gen_random_uuid(), 'user_maya', 'Car', 100, 100),"
            " (gen_random_uuid(), 'user_maya', 'Boat', 100, 99), (gen_random_uuid(), 'user_maya', 'Moon', 100, 'NaN')",
        )
    list(milestones([recipient("user_maya")], NOON, dry_run=True))
    assert set(reached().values()) == {None}
    list(milestones([recipient("user_maya")], NOON, dry_run=False))
    list(milestones([recipient("user_maya")], datetime(2025, 7, 11, 18, tzinfo=UTC), dry_run=False))
    assert reached() == {"Car": NOON, "Boat": None, "Moon": None}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            lambda: next(birthday(LEAP, date(2024, 2, 29))),
            "MINGUS: happy birthday, Maya! May the year be kind to you.",
        ),
        (
            lambda: next(goal_marks([GoalState(UUID(int=1), "Car", Decimal(1200), Decimal(2000))])),
            "MINGUS: half way! Car: $1,200.00 of $2,000.00 saved.",
        ),
        (
            lambda: next(goal_marks([GoalState(UUID(int=1), "Car", Decimal(2000), Decimal(2000))])),
            "MINGUS: you reached Car! $2,000.00 saved.",
        ),
        (
            lambda: next(streak(6, Month.parse("2025-07"))),
            "MINGUS: 6 months in a row with something left over. Well done, Maya!",
        ),
    ],
)
def test_how_a_milestone_reads(found: Any, words: str) -> None:
    kind, payload = message_type("milestone_reminder"), payload_of(found())
    validate_payload(kind, payload)
    for channel in (Channel.SMS, Channel.EMAIL):
        request = RenderRequest(
            message_type=kind, channel=channel, payload=payload, person=Person(name="Maya Johnson"), now=NOON
        )
        message = render(request)
        if channel is Channel.SMS:
            assert message.body.splitlines()[0] == words
        else:
            assert message.subject
