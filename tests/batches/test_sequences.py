"""Onboarding: who enters, what comes when, who leaves, and that an accepted step is never repeated or lost."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from analytics.sequences import (
    FACTS,
    Facts,
    Leave,
    Progress,
    Send,
    Wait,
    decide,
    entry,
    moved_on,
    plan_of,
    plans,
    variant,
)
from cli.main import app
from core.clock import utc_now
from core.database import transaction
from core.errors import InvalidRequest
from core.statements import execute, rows
from delivery import Request, accept_many
from delivery.catalog import message_type
from delivery.content import validate_payload
from delivery.keys import period_key
from flows.audience import Recipient
from flows.batch_values import Draft
from flows.onboarding_sequences import move_on, steps
from tests.delivery.stage import person

WELCOME = plan_of("welcome")
MONDAY = datetime(2025, 7, 7, 17, tzinfo=UTC)  # noon in Chicago
CHICAGO = "America/Chicago"
ZORA = Facts("user_zora", CHICAGO, MONDAY - timedelta(hours=3), None, frozenset(), may_hear=True)
AT_START = Progress("user_zora", "welcome", 1, "active", "", 0, MONDAY, None, MONDAY)


def test_a_newcomer_enters_and_gets_the_first_step_in_their_own_day() -> None:
    assert entry(WELCOME, ZORA, None, MONDAY) == AT_START
    tokyo = replace(ZORA, time_zone="Asia/Tokyo")  # Tuesday, two in the morning
    found = entry(WELCOME, tokyo, None, MONDAY)
    assert found is not None
    assert found.next_at == datetime(2025, 7, 8, 1, tzinfo=UTC)  # ten o'clock there


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (replace(ZORA, joined_at=MONDAY - timedelta(days=31)), "joined long ago"),
        (replace(ZORA, may_hear=False), "has not consented"),
        (replace(ZORA, holds=frozenset(FACTS)), "needs no introduction"),
    ],
)
def test_others_do_not_enter(facts: Facts, why: str) -> None:
    assert entry(WELCOME, facts, None, MONDAY) is None, why


@pytest.mark.parametrize(
    ("facts", "progress", "decided"),
    [
        (ZORA, AT_START, Send(0)),
        (replace(ZORA, holds=frozenset({"has_transactions"})), AT_START, Send(1)),
        (replace(ZORA, holds=frozenset({"has_budget"})), replace(AT_START, step=2), Send(3)),
        (ZORA, replace(AT_START, next_at=MONDAY + timedelta(hours=1)), Wait(MONDAY + timedelta(hours=1))),
        (ZORA, replace(AT_START, last_step_on=date(2025, 7, 7)), Wait(MONDAY + timedelta(hours=1))),
        (ZORA, replace(AT_START, last_step_on=date(2025, 7, 6)), Send(0)),
        (replace(ZORA, heard_at=MONDAY - timedelta(hours=8)), AT_START, Wait(MONDAY + timedelta(hours=1))),
        (replace(ZORA, heard_at=MONDAY + timedelta(days=1)), AT_START, Wait(MONDAY + timedelta(hours=1))),
        (replace(ZORA, heard_at=MONDAY - timedelta(hours=13)), AT_START, Send(0)),  # the evening before
        (ZORA, replace(AT_START, step=5), Leave("completed")),
        (replace(ZORA, may_hear=False), AT_START, Leave("unsubscribed")),
        (replace(ZORA, holds=frozenset(FACTS)), AT_START, Leave("goal_reached")),
        (replace(ZORA, joined_at=MONDAY - timedelta(days=46)), AT_START, Leave("inactive")),
        (
            replace(ZORA, joined_at=MONDAY - timedelta(days=46), last_active_at=MONDAY - timedelta(days=44)),
            AT_START,
            Send(0),
        ),
    ],
)
def test_what_is_decided(facts: Facts, progress: Progress, decided: object) -> None:
    assert decide(WELCOME, progress, facts, MONDAY) == decided


def test_who_left_inactive_and_came_back_may_enter_again_once() -> None:
    left = replace(AT_START, state="left", left_because="inactive", updated_at=MONDAY - timedelta(days=61))
    back = replace(ZORA, joined_at=MONDAY - timedelta(days=200), last_active_at=MONDAY - timedelta(days=1))
    again = entry(WELCOME, back, left, MONDAY)
    assert again is not None
    assert (again.run, again.step) == (2, 0)
    assert entry(WELCOME, back, replace(left, run=2), MONDAY) is None
    assert entry(WELCOME, back, replace(left, left_because="unsubscribed"), MONDAY) is None
    assert entry(WELCOME, back, replace(left, updated_at=MONDAY - timedelta(days=59)), MONDAY) is None
    assert entry(WELCOME, replace(back, last_active_at=MONDAY - timedelta(days=90)), left, MONDAY) is None


def test_the_next_step_comes_its_days_later_at_its_hour_across_a_change_of_clocks() -> None:
    saturday = datetime(2025, 3, 8, 18, tzinfo=UTC)  # the clocks of Chicago go forward in the night
    found = moved_on(WELCOME, AT_START, 0, saturday, CHICAGO)
    assert (found.step, found.last_step_on) == (1, date(2025, 3, 8))
    assert found.next_at == datetime(2025, 3, 9, 15, tzinfo=UTC)  # ten o'clock in summer time


def test_after_the_last_step_the_sequence_is_completed() -> None:
    found = moved_on(WELCOME, AT_START, len(WELCOME.steps) - 1, MONDAY, CHICAGO)
    assert (found.state, found.left_because) == ("left", "completed")


@given(st.integers(0, 60), st.sampled_from(["UTC", CHICAGO, "Asia/Kolkata", "Pacific/Apia", "nonsense"]))
def test_however_often_it_is_asked_there_is_one_step_a_day_and_an_end(start: int, zone: str) -> None:
    facts = replace(ZORA, time_zone=zone)
    progress: Progress | None = entry(WELCOME, facts, None, MONDAY)
    assert progress is not None
    days = []
    for hour in range(24 * 20):
        now = MONDAY + timedelta(hours=hour, minutes=start)
        match decide(WELCOME, progress, facts, now):
            case Send(step):
                progress = moved_on(WELCOME, progress, step, now, zone)
                days.append(progress.last_step_on)
        if progress.state != "active":
            break
    assert len(days) == len(WELCOME.steps)
    assert len(set(days)) == len(days)


def test_variants_are_even_and_steady() -> None:
    people = [f"user_{number}" for number in range(2000)]
    first = sum(variant(WELCOME, 0, user)[0] for user in people)
    assert 900 < first < 1100
    assert variant(WELCOME, 0, "user_1") == variant(WELCOME, 0, "user_1")


def test_every_step_of_every_sequence_can_be_sent() -> None:
    for plan in plans().values():
        for number, step in enumerate(plan.steps, start=1):
            for words in step.variants:
                payload = {"sequence_step": number, "total_steps": len(plan.steps), "title": words.title}
                validate_payload(message_type("onboarding_sequence"), payload | {"body": words.body or "–"})


def test_an_unknown_sequence_is_told_by_name() -> None:
    with pytest.raises(InvalidRequest, match="sequence: 'goodbye' is none of welcome"):
        plan_of("goodbye")


RECIPIENTS: Sequence[Recipient] = [Recipient("user_zora", "en_US", CHICAGO, frozenset({"email"}))]


def due(now: datetime) -> list[Draft]:
    return [each for each in steps(RECIPIENTS, WELCOME, now, dry_run=False) if isinstance(each, Draft)]


def accept(draft: Draft, now: datetime) -> None:
    key = period_key("onboarding_sequence", draft.period or "", draft.user_id)
    request = Request(
        user_id=draft.user_id, message_type="onboarding_sequence", payload=draft.payload, idempotency_key=key
    )
    accept_many([request], now=now)
    with transaction() as connection:
        execute(connection, "UPDATE notifications SET created_at = %s WHERE idempotency_key = %s", (now, key))


def enrolment() -> Any:
    with transaction() as connection:
        return rows(connection, "SELECT state, left_because, step FROM enrolments")


def test_a_run_that_died_after_accepting_is_made_good_by_the_next(people: Any) -> None:
    people(person("Zora", 101, joined_at=ZORA.joined_at))
    (first,) = due(MONDAY)
    assert first.payload | {"title": "", "body": ""} == {
        "sequence_step": 1, "total_steps": 5, "title": "", "body": "", "action_label": "Connect an account",
    }  # fmt: skip
    assert enrolment() == [("active", "", 0)]
    accept(first, MONDAY)  # … and here it dies
    assert due(MONDAY + timedelta(hours=1)) == []
    assert enrolment() == [("active", "", 1)]
    (second,) = due(MONDAY + timedelta(days=1))
    assert second.period == "welcome-1-categories"


def test_a_step_that_was_put_off_to_the_next_day_leaves_no_room_for_another_on_that_day(people: Any) -> None:
    people(person("Zora", 101, joined_at=ZORA.joined_at))
    (first,) = due(MONDAY)
    accept(first, MONDAY)
    move_on(WELCOME, ["user_zora"])
    tuesday = MONDAY + timedelta(days=1)
    with transaction() as connection:
        execute(connection, "UPDATE notifications SET state = 'delivered', sent_at = %s", (tuesday,))
    assert due(tuesday + timedelta(hours=1)) == []
    assert len(due(tuesday + timedelta(days=1))) == 1


def test_the_command_shows_where_a_person_stands_and_what_comes_next(people: Any) -> None:
    now = utc_now()
    people(
        person("Zora", 101, joined_at=now - timedelta(hours=3)), person("Otto", 102, joined_at=ZORA.joined_at)
    )

    def said(user: str) -> str:
        found = CliRunner().invoke(app, ["sequence", "show", user], env={"COLUMNS": "160"})
        return " ".join(found.output.split())

    assert "not enrolled" in said("user_zora")
    list(steps(RECIPIENTS, WELCOME, now, dry_run=False))
    assert "welcome │ 1 │ active │ 0 of 5 │ connect" in said("user_zora")
    assert "not enrolled" in said("user_otto")
    assert "no user 'user_nobody'" in said("user_nobody")


def test_the_button_leads_into_the_app(people: Any, configure: Callable[..., None]) -> None:
    people(person("Zora", 101, joined_at=ZORA.joined_at))
    assert "action_url" not in due(MONDAY)[0].payload
    configure(MINGUS_APP_URL="https://app.mingus.example/")
    (first,) = due(MONDAY)
    assert first.payload["action_url"] == "https://app.mingus.example/accounts/connect"


def test_the_same_step_stays_due_until_it_is_accepted(people: Any) -> None:
    people(person("Zora", 101, joined_at=ZORA.joined_at))
    assert due(MONDAY) == due(MONDAY)
    assert move_on(WELCOME, ["user_zora"]) == 0


def test_who_withdraws_leaves_at_the_next_run(people: Any) -> None:
    people(person("Zora", 101, joined_at=ZORA.joined_at))
    assert len(due(MONDAY)) == 1
    with transaction() as connection:
        execute(
            connection,
            "INSERT INTO consents (id, user_id, channel, purpose, action, method, at)"
            " SELECT gen_random_uuid(), 'user_zora', channel, 'marketing', 'withdraw', 'test', now()"
            " FROM unnest(ARRAY['email', 'sms']) AS channel",
        )
    assert due(MONDAY + timedelta(hours=1)) == []
    assert enrolment() == [("left", "unsubscribed", 0)]


def test_a_dry_run_writes_nothing(people: Any) -> None:
    people(person("Zora", 101, joined_at=ZORA.joined_at))
    assert len(list(steps(RECIPIENTS, WELCOME, MONDAY, dry_run=True))) == 1
    assert enrolment() == []
