"""What was accepted and did not arrive, by the code that Twilio gives later: tried again, by another way, or the end."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.clock import utc_now
from core.database import transaction
from core.statements import execute, rows
from core.vocabulary import EventKind
from delivery import Request, accept, deliver, health
from delivery import catalog as rows_of_types
from delivery.catalog import catalog
from delivery.messages import DeliveryEvent
from delivery.protection import SOFT_BOUNCE
from delivery.providers import provider as carrier
from delivery.receipts import ACCOUNT_NEWS, apply_waiting, receive
from tests.delivery.stage import person
from tests.reliability.story import QUICK, attempts_of, let_time_pass, row_of, state_of, taken

pytestmark = pytest.mark.usefixtures("redis")

SLACK = 2.0


@pytest.fixture
def maya(people, provider, configure, monkeypatch):
    """Maya at a number of choice, at any hour; no callback reaches anybody, so the provider is asked."""
    always = tuple(replace(row, window=False) for row in rows_of_types.MESSAGE_TYPES)
    monkeypatch.setattr(rows_of_types, "MESSAGE_TYPES", always)
    configure(
        **QUICK, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url,
        MINGUS_LIMIT_WEEKLY_CHECKIN_SMS="100000", MINGUS_LIMIT_WEEKLY_CHECKIN_EMAIL="100000",
    )  # fmt: skip

    def at(code):
        people(person("Maya", 101, phone=f"+1500555{3000 + code - 30000:04d}"))
        return code

    return at


def send(name):
    sent = accept(
        Request(user_id="user_maya", message_type=name, payload=dict(catalog()[name].example))
    ).notification_id
    deliver([sent])
    assert (state_of(sent), row_of(sent)["reason"]) == ("sent", "")
    return sent


def hear_of(sent, number=-1):
    """Ask the provider until the last attempt has come to its end there, and take in what it says."""
    attempt = attempts_of(sent)[number]
    for _ in range(200):
        event = carrier(attempt["provider"]).lookup(attempt["reference"])
        if event is not None and event.kind not in {EventKind.QUEUED, EventKind.SENT}:
            receive([event])
            apply_waiting()
            return event
        time.sleep(0.05)
    raise AssertionError("the message is under way for ever")


def waits_seconds(sent):
    due = datetime.fromisoformat(row_of(sent)["deliver_after"])
    return (due - datetime.now(UTC)).total_seconds()


def carriers(provider):
    return [each["provider"] for each in taken(provider)]


@pytest.mark.parametrize(
    ("code", "least_wait", "tries"),
    [
        (30001, 0, 2),
        (30003, 2 * 3600, 2),
        (30008, 0, 1),
        (30022, 0, 2),
        (30023, 6 * 3600, 2),
        (30027, 6 * 3600, 2),
        (30047, 0, 2),
        (30410, 0, 2),
        (30610, 3600, 2),
    ],
)
def test_a_checkin_whose_code_may_pass_is_sent_again_as_often_as_its_code_is_worth(
    maya, provider, code, least_wait, tries
):
    maya(code)
    sent = send("weekly_checkin")
    for number in range(tries):
        hear_of(sent)
        row = row_of(sent)
        assert (row["state"], row["tries"], row["reason"]) == ("accepted", number + 1, str(code))
        assert waits_seconds(sent) >= least_wait - SLACK
        let_time_pass(7 * 3600)
        deliver([sent])
    hear_of(sent)

    assert state_of(sent) in {"failed", "bounced"}
    assert carriers(provider) == ["twilio"] * (1 + tries)
    assert [each["closes"] for each in attempts_of(sent)] == ["attempt"] * tries + [""]
    assert not row_of(sent)["possible_duplicate"]


@pytest.mark.parametrize("code", [30004, 30005, 30006, 30007, 30036])
def test_a_checkin_whose_code_will_not_pass_is_not_sent_again(maya, provider, code):
    maya(code)
    sent = send("weekly_checkin")
    hear_of(sent)

    assert state_of(sent) in {"failed", "bounced"}
    assert carriers(provider) == ["twilio"]


@pytest.mark.parametrize("code", [30002, 30032, 30034])
def test_when_it_is_our_account_the_breaker_opens_and_another_way_is_taken(maya, provider, code):
    maya(code)
    sent = send("weekly_checkin")
    hear_of(sent)

    assert health.is_open("twilio")
    assert state_of(sent) == "accepted"
    deliver([sent])
    assert carriers(provider) == ["twilio", "resend"]
    assert [each["closes"] for each in attempts_of(sent)] == ["route", ""]


def test_old_news_about_our_account_does_not_open_the_breaker(maya, provider):
    maya(30034)
    sent = send("weekly_checkin")
    attempt = attempts_of(sent)[0]
    receive([
        DeliveryEvent(
            "twilio", EventKind.FAILED, "old", utc_now() - ACCOUNT_NEWS - timedelta(seconds=1),
            reference=attempt["reference"], code="30034", misconfigured=True,
        )
    ])  # fmt: skip
    apply_waiting()

    assert not health.is_open("twilio")


def test_a_critical_alert_does_not_wait_for_a_phone_to_be_switched_on(maya, provider):
    maya(30003)
    sent = send("critical_financial")
    hear_of(sent)
    deliver([sent])

    assert carriers(provider) == ["twilio", "resend"]


def test_an_urgent_reminder_is_tried_again_and_then_goes_by_mail(maya, provider):
    maya(30008)
    sent = send("payment_reminder")
    hear_of(sent)
    let_time_pass()
    deliver([sent])
    hear_of(sent)
    deliver([sent])

    assert carriers(provider) == ["twilio", "twilio", "resend"]
    assert [each["closes"] for each in attempts_of(sent)] == ["attempt", "channel", ""]


def test_nothing_is_tried_again_past_its_time(maya, provider):
    maya(30003)
    sent = send("weekly_checkin")
    with transaction() as connection:
        execute(
            connection,
            "UPDATE notifications SET expires_at = now() + interval '1 hour' WHERE id = %s",
            (sent,),
        )
    hear_of(sent)

    assert state_of(sent) == "bounced"


def test_a_failure_that_is_told_twice_costs_one_try(maya, provider):
    maya(30410)
    sent = send("weekly_checkin")
    event = hear_of(sent)
    receive([DeliveryEvent(
        "twilio", event.kind, "told again", utc_now(), reference=event.reference, code=event.code, retries=9,
    )])  # fmt: skip
    apply_waiting()
    assert row_of(sent)["tries"] == 1
    let_time_pass()
    deliver([sent])
    receive([DeliveryEvent(
        "twilio", event.kind, "and again", utc_now(), reference=event.reference, code=event.code, retries=9,
    )])  # fmt: skip
    apply_waiting()

    assert (state_of(sent), row_of(sent)["reason"]) == ("sent", "")
    assert carriers(provider) == ["twilio", "twilio"]


def strikes():
    with transaction() as connection:
        return [float(score) for (score,) in rows(connection, "SELECT score FROM suppressions")]


@pytest.mark.parametrize(("code", "expected"), [(30003, [SOFT_BOUNCE]), (30410, []), (30022, [])])
def test_a_phone_that_was_off_all_evening_has_one_strike_and_a_providers_own_delay_none(
    maya, provider, code, expected
):
    maya(code)
    sent = send("weekly_checkin")
    for _ in range(2):
        hear_of(sent)
        let_time_pass(7 * 3600)
        deliver([sent])
    hear_of(sent)

    assert len(taken(provider)) == 3
    assert strikes() == pytest.approx(expected)


def test_a_failure_told_while_a_worker_opens_the_next_attempt_does_not_call_it_back(maya):
    """The worker holds the notification and has not committed its attempt yet: the receipt waits for it."""
    maya(30003)
    sent = send("critical_financial")
    first = attempts_of(sent)[0]
    with transaction() as connection:
        execute(
            connection, "UPDATE notifications SET state = 'claimed', fence = fence + 1 WHERE id = %s", (sent,)
        )
    failure = DeliveryEvent(
        provider="twilio", kind=EventKind.FAILED, event_key="late", at=utc_now(), code="30003",
        reference=first["reference"],
    )  # fmt: skip
    receive([failure])
    told = threading.Thread(target=apply_waiting)
    with transaction() as worker:
        execute(worker, "SELECT FROM notifications WHERE id = %s FOR NO KEY UPDATE", (sent,))
        told.start()
        time.sleep(0.5)
        execute(
            worker,
            "INSERT INTO attempts (id, notification_id, fence, number, channel, provider, contact_point_id, key)"
            " SELECT gen_random_uuid(), notification_id, fence + 1, 2, 'email', 'resend', contact_point_id, 'k'"
            " FROM attempts WHERE id = %s",
            (first["id"],),
        )
    told.join(60)
    assert state_of(sent) == "claimed"
