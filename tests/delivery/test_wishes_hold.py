"""What a person saved on the preference page is what the pipeline does: from the form's fields to the message's state."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.clock import utc_now
from core.database import transaction
from core.statements import execute, rows
from delivery import Request, accept, deliver, preferences
from delivery.catalog import catalog
from delivery.preference_form import parse
from delivery.preferences import switches
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("redis")
CHICAGO = ZoneInfo("America/Chicago")
EVERYTHING_ON = {f"{category}.{channel}": "on" for category, ways in switches().items() for channel in ways}


def saved(**form: str) -> None:
    off = {name for name, value in form.items() if value == "off"}
    fields = {
        name: value
        for name, value in (EVERYTHING_ON | {"zone": "America/Chicago"} | form).items()
        if name not in off
    }
    with transaction() as connection:
        preferences.save(connection, "user_maya", parse(fields, utc_now()))


def sent(name: str, **payload: Any) -> tuple[str, str, datetime]:
    """The state, reason and due time of a new message for Maya."""
    example = dict(catalog()[name].example)
    accepted = accept(Request(user_id="user_maya", message_type=name, payload=example | payload))
    deliver([accepted.notification_id])
    with transaction() as connection:
        ((state, reason, due),) = rows(
            connection,
            "SELECT state, reason, deliver_after FROM notifications WHERE id = %s",
            (accepted.notification_id,),
        )
    return state, reason, due


def clock(hours: float) -> str:
    """The time on Maya's wall so many hours from now."""
    return f"{(utc_now().astimezone(CHICAGO) + timedelta(hours=hours)):%H:%M}"


@pytest.fixture
def maya(people, provider) -> None:
    """She has mail only, so that nothing here depends on the hours in which texts are permitted."""
    people(person("Maya", 101, phone=""))


@pytest.mark.parametrize(
    ("form", "name", "payload", "state", "reason"),
    [
        ({}, "educational_content", {}, "sent", ""),
        ({"education.email": "off"}, "educational_content", {}, "skipped", "channel_disabled"),
        ({"education.email": "off"}, "career_insights", {}, "sent", ""),
        ({"payments.minimum": "100"}, "payment_reminder", {"amount": "99.99"}, "skipped", "below_minimum_amount"),
        ({"payments.minimum": "100"}, "payment_reminder", {"amount": "1,200.00"}, "sent", ""),
        ({"security.minimum": "100"}, "critical_financial", {"amount": "35.00"}, "skipped", "below_minimum_amount"),
        ({"security.minimum": "100"}, "critical_financial", {}, "sent", ""),
    ],
)  # fmt: skip
def test_switches_and_thresholds_hold(maya, form, name, payload, state, reason):  # noqa: PLR0917  a row of the table
    saved(**form)
    assert sent(name, **payload)[:2] == (state, reason)


def test_a_pause_holds_what_outlives_it_drops_what_does_not_and_lets_alerts_pass(maya):
    day = (utc_now().astimezone(CHICAGO) + timedelta(days=3)).date()
    saved(paused_until=str(day))
    state, reason, due = sent("educational_content")  # lives for a week
    assert (state, reason) == ("accepted", "paused")
    assert due.astimezone(CHICAGO) == datetime(day.year, day.month, day.day, tzinfo=CHICAGO)
    assert sent("payment_reminder")[:2] == ("skipped", "paused_past_expiry")  # lives for a day
    assert sent("critical_financial")[0] == "sent"


def test_own_quiet_hours_hold_mail_that_may_wait(maya):
    saved(quiet_from=clock(-1), quiet_until=clock(2))
    state, reason, due = sent("educational_content")
    assert (state, reason) == ("accepted", "quiet_hours")
    assert due > utc_now() + timedelta(hours=1.5)
    assert sent("critical_financial")[0] == "sent"


def test_preferred_hours_are_waited_for(maya):
    saved(**{"education.from": clock(3), "education.until": clock(5)})
    state, reason, due = sent("educational_content")
    assert (state, reason) == ("accepted", "outside_preferred_hours")
    assert timedelta(hours=2.9) < due - utc_now() < timedelta(hours=5.1)
    assert sent("career_insights")[0] == "sent"


def test_a_weekly_cap_carries_over_to_the_instant_at_which_a_slot_is_free(maya):
    saved(**{"reports.cap": "1"})
    assert sent("monthly_report")[0] == "sent"
    with transaction() as connection:  # it was five days ago
        execute(connection, "UPDATE notifications SET sent_at = sent_at - interval '5 days'")
    state, reason, due = sent("monthly_report", month="2025-02")
    assert (state, reason) == ("accepted", "weekly_cap")
    assert timedelta(hours=47) < due - utc_now() <= timedelta(hours=48)


def test_what_could_only_come_after_its_time_says_so(maya):
    saved(**{"reports.cap": "1"})
    assert sent("monthly_report")[0] == "sent"
    assert sent("monthly_report", month="2025-02")[:2] == ("skipped", "capped_past_expiry")


def test_the_daily_limit_of_a_type_carries_over_to_the_next_day(maya):
    saved()
    assert sent("educational_content")[0] == "sent"
    state, reason, due = sent("educational_content", topic="Index funds")
    assert (state, reason) == ("accepted", "daily_limit")
    assert timedelta(hours=23) < due - utc_now() <= timedelta(hours=24)


def test_language_decides_what_is_read(maya, provider):
    saved(locale="es_US")
    sent("payment_reminder")
    (mail,) = provider.messages()
    assert 'lang="es"' in mail["html"]
