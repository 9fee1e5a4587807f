"""Retries, fallback between channels, and the circuit breaker."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.clock import utc_now
from core.database import transaction
from core.statements import execute, rows
from core.vocabulary import Channel, EventKind
from delivery import Request, accept, deliver, health, retry_budget
from delivery.catalog import MESSAGE_TYPES, catalog
from delivery.health import Calls, Health
from delivery.messages import DeliveryEvent
from delivery.receipts import apply_waiting, receive
from tests.delivery.stage import person
from tests.reliability.story import (
    QUICK,
    alert,
    attempts_of,
    lessons,
    let_time_pass,
    letters,
    look_for_the_lost,
    report,
    row_of,
    state_of,
    taken,
)

pytestmark = pytest.mark.usefixtures("redis")


@pytest.fixture
def maya(people, provider, configure):
    configure(**QUICK, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url)
    people(person("Maya", 101))
    return "user_maya"


def channels(provider):
    return [each["provider"] for each in taken(provider)]


def told(sent, kind, code="", number=-1):
    """The provider says something about one of the notification's attempts."""
    attempt = attempts_of(sent)[number]
    receive(
        [
            DeliveryEvent(
                provider=attempt["provider"], kind=kind, event_key=f"{attempt['id']}:{kind}", at=utc_now(),
                reference=attempt["reference"], code=code,
            )
        ]
    )  # fmt: skip
    apply_waiting()


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "429"},
        {"kind": "429", "params": {"status": 401, "code": 20003}},
        {"kind": "429", "params": {"status": 400, "code": 21211}},
        {"kind": "429", "params": {"status": 400, "code": 21610}},
        {"kind": "429", "params": {"status": 400, "code": 30007}},
    ],
    ids=["busy", "our account", "no mobile number", "opted out", "filtered"],
)
def test_a_critical_alert_goes_by_mail_at_once_when_twilio_does_not_take_it(maya, provider, fault):
    provider.fault(provider="twilio", **fault)
    sent = alert(maya)
    deliver([sent])
    assert state_of(sent) in {"sent", "delivered"}
    assert channels(provider) == ["resend"]
    assert not row_of(sent)["possible_duplicate"]


def test_a_critical_alert_goes_by_mail_when_twilio_is_not_there(maya, provider, configure):
    configure(MINGUS_TWILIO_BASE_URL="http://127.0.0.1:9")
    sent = alert(maya)
    deliver([sent])
    assert channels(provider) == ["resend"]


def test_a_critical_alert_in_doubt_does_not_go_by_mail_too(maya, provider):
    provider.fault(provider="twilio", kind="accept_then_hang", params={"hang_seconds": 2})
    sent = alert(maya)
    deliver([sent])
    let_time_pass()
    deliver([sent])
    assert channels(provider) == ["twilio"]


@pytest.mark.parametrize("kind", [EventKind.FAILED, EventKind.BOUNCED_HARD, EventKind.BOUNCED_SOFT])
def test_an_alert_that_was_not_delivered_goes_by_mail(maya, provider, kind):
    sent = alert(maya)
    deliver([sent])
    told(sent, kind, "30007")
    assert state_of(sent) == "accepted"
    deliver([sent])
    assert channels(provider) == ["twilio", "resend"]
    assert not row_of(sent)["possible_duplicate"]


def test_a_sent_that_comes_after_an_undelivered_does_not_call_the_mail_back(maya, provider):
    sent = alert(maya)
    deliver([sent])
    told(sent, EventKind.FAILED, "30007")
    told(sent, EventKind.SENT)
    assert state_of(sent) == "accepted"
    deliver([sent])
    assert channels(provider) == ["twilio", "resend"]


def test_a_delivery_that_comes_after_an_undelivered_spares_the_mail(maya, provider):
    sent = alert(maya)
    deliver([sent])
    told(sent, EventKind.FAILED, "30007")
    told(sent, EventKind.DELIVERED)
    assert state_of(sent) == "delivered"
    deliver([sent])
    assert channels(provider) == ["twilio"]


def test_a_failure_of_the_text_changes_nothing_once_the_mail_is_out(maya, provider):
    sent = alert(maya)
    deliver([sent])
    told(sent, EventKind.FAILED, "30007")
    deliver([sent])
    told(sent, EventKind.BOUNCED_SOFT, "30003", number=0)
    assert state_of(sent) in {"sent", "delivered"}
    let_time_pass()
    deliver([sent])
    assert channels(provider) == ["twilio", "resend"]


@pytest.fixture
def reminder(maya, configure, monkeypatch):
    """An accepted payment reminder of a catalog in which reminders go by mail first, then by text."""
    by_mail_first = [
        replace(row, channels=(Channel.EMAIL, Channel.SMS), window=False)
        if row.name == "payment_reminder"
        else row
        for row in MESSAGE_TYPES
    ]
    monkeypatch.setattr("delivery.catalog.MESSAGE_TYPES", by_mail_first)
    configure()
    payload = dict(catalog()["payment_reminder"].example)
    return accept(Request(user_id=maya, message_type="payment_reminder", payload=payload)).notification_id


@pytest.mark.parametrize("kind", [EventKind.FAILED, EventKind.BOUNCED_HARD, EventKind.BOUNCED_SOFT])
def test_an_urgent_mail_that_bounced_is_followed_by_a_text(reminder, provider, kind):
    deliver([reminder])
    assert channels(provider) == ["resend"]
    told(reminder, kind, "Permanent")
    let_time_pass()
    deliver([reminder])
    assert channels(provider)[-1] == "twilio"
    assert state_of(reminder) in {"sent", "delivered"}
    assert not row_of(reminder)["possible_duplicate"]


def test_an_urgent_mail_that_is_refused_goes_by_text_at_once(reminder, provider):
    provider.fault(provider="resend", kind="429", params={"status": 422, "code": "invalid_to_address"})
    deliver([reminder])
    assert channels(provider) == ["twilio"]


def test_an_urgent_mail_whose_retries_are_used_up_goes_by_text(reminder, provider):
    provider.fault(provider="resend", kind="429")
    for _ in range(catalog()["payment_reminder"].retries):
        deliver([reminder])
        assert (state_of(reminder), channels(provider)) == ("accepted", [])
        let_time_pass()
        health.reset("resend")
    deliver([reminder])
    assert channels(provider) == ["twilio"]


def test_an_urgent_mail_in_doubt_does_not_go_by_text_too(reminder, provider):
    provider.fault(provider="resend", kind="5xx_after", count=1)
    deliver([reminder])
    let_time_pass()
    deliver([reminder])
    assert state_of(reminder) == "unknown"
    look_for_the_lost()
    assert channels(provider) == ["resend"]


def test_when_no_way_is_left_the_alert_has_failed_and_says_so(maya, provider):
    sent = alert(maya)
    deliver([sent])
    told(sent, EventKind.BOUNCED_HARD, "30005")
    deliver([sent])
    told(sent, EventKind.BOUNCED_HARD, "bounced")
    deliver([sent])
    assert state_of(sent) == "failed"
    assert channels(provider) == ["twilio", "resend"]


def test_everything_busy_ends_in_the_dead_letters_after_the_types_retries(maya, provider):
    provider.fault(provider="any", kind="429", params={"retry_after": 0})
    sent = alert(maya)
    for _ in range(10):
        health.reset("twilio")
        health.reset("resend")
        deliver([sent])
        let_time_pass()
    assert state_of(sent) == "dead"
    assert letters() == [("retries_exhausted", "transient_network")]
    row = catalog()["critical_financial"]
    assert row_of(sent)["tries"] == row.retries
    assert len(attempts_of(sent)) == 2 * (row.retries + 1)


def test_a_busy_provider_is_not_asked_before_it_wants_to_be(maya, provider):
    provider.fault(provider="resend", kind="429", count=1, params={"retry_after": 4000})
    sent = report(maya)
    deliver([sent])
    with transaction() as connection:
        ((wait,),) = rows(connection, "SELECT extract(epoch FROM deliver_after - now()) FROM notifications")
    assert wait > 3990
    assert row_of(sent)["tries"] == 1


def test_no_retry_outlives_its_message(maya, provider):
    provider.fault(provider="resend", kind="429", params={"retry_after": 4000})
    sent = report(maya, expires_at=utc_now() + timedelta(minutes=30))
    deliver([sent])
    assert (state_of(sent), row_of(sent)["reason"]) == ("dead", "retries_exhausted")


def test_an_alert_is_not_delivered_hours_late(maya, provider, configure):
    configure(MINGUS_TWILIO_BASE_URL="http://127.0.0.1:9", MINGUS_RESEND_BASE_URL="http://127.0.0.1:9")
    sent = alert(maya)
    deliver([sent])
    with transaction() as connection:
        execute(connection, "UPDATE notifications SET expires_at = now() - interval '1 second'")
    let_time_pass()
    configure(MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url)
    deliver([sent])
    assert (state_of(sent), row_of(sent)["reason"]) == ("skipped", "expired")
    assert taken(provider) == []


def test_a_provider_that_fails_is_left_alone_and_then_probed_by_one(redis):
    with health.of(["twilio"]) as standing:
        assert standing == {"twilio": Health.UP}
    health.record({"twilio": Calls(good=2, bad=4)})
    with health.of(["twilio"]) as standing:
        assert standing["twilio"] is Health.UP, "four failed calls are not enough"
    health.record({"twilio": Calls(bad=1)})
    with health.of(["twilio"]) as standing:
        assert standing["twilio"] is Health.DOWN
    redis.hset("mingus:health:twilio", "open_until", 0)
    with health.of(["twilio"]) as first, health.of(["twilio"]) as second:
        assert (first["twilio"], second["twilio"]) == (Health.PROBE, Health.DOWN)
        first.used(["twilio"])
    with health.of(["twilio"]) as third:
        assert third["twilio"] is Health.DOWN, "a probe is under way"
    health.record({"twilio": Calls(good=1)})
    with health.of(["twilio"]) as after:
        assert after["twilio"] is Health.UP


def test_a_probe_that_nobody_used_is_given_back(redis):
    health.record({"twilio": Calls(bad=9)})
    redis.hset("mingus:health:twilio", "open_until", 0)
    for _ in range(3):
        with health.of(["twilio", "resend"]) as standing:
            assert standing["twilio"] is Health.PROBE
            standing.used(["resend"])


def test_a_failed_probe_opens_the_breaker_for_longer(redis):
    health.record({"twilio": Calls(bad=9)})
    waits = []
    for _ in range(5):
        redis.hset("mingus:health:twilio", "open_until", 0)
        before = redis.time()
        health.record({"twilio": Calls(bad=1)})
        waits.append(float(redis.hget("mingus:health:twilio", "open_until")) / 1000 - before[0])
    assert waits == sorted(waits) or waits[-1] > 40
    assert max(waits) < 60 * 1.2 + 2


def test_one_refused_batch_of_a_hundred_is_one_failed_call(people, provider, configure):
    configure(**QUICK, MINGUS_RESEND_BASE_URL=provider.url)
    people(*(person(f"P{n}", n) for n in range(60)))
    provider.fault(provider="resend", count=1, kind="5xx_before")
    deliver(lessons([f"user_p{n}" for n in range(60)]))
    with health.of(["resend"]) as standing:
        assert standing["resend"] is Health.UP


def test_while_a_provider_is_out_its_messages_wait_without_losing_a_try(maya, provider):
    health.record({"resend": Calls(bad=9)})
    sent = report(maya)
    deliver([sent])
    assert (state_of(sent), row_of(sent)["reason"], row_of(sent)["tries"]) == (
        "accepted",
        "provider_unavailable",
        0,
    )
    health.reset("resend")
    let_time_pass()
    deliver([sent])
    assert channels(provider) == ["resend"]


def test_a_key_that_does_not_work_takes_the_provider_out_at_once(maya, provider):
    provider.fault(provider="resend", kind="429", count=1, params={"status": 403, "code": "invalid_api_key"})
    sent = report(maya)
    deliver([sent])
    with health.of(["resend"]) as standing:
        assert standing["resend"] is Health.DOWN
    assert state_of(sent) == "accepted", "the message waits until the key is mended"
    health.reset("resend")
    let_time_pass()
    deliver([sent])
    assert channels(provider) == ["resend"]


def test_after_an_outage_every_message_comes_through_once(people, provider, configure):
    configure(**QUICK, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url)
    people(*(person(f"P{n}", n) for n in range(20)))
    provider.fault(provider="resend", kind="5xx_before", count=15)
    sent = [report(f"user_p{n}") for n in range(20)]
    for _ in range(12):
        for each in sent:
            deliver([each])
        look_for_the_lost()
        health.reset("resend")
    assert {state_of(each) for each in sent} <= {"sent", "delivered"}
    assert len(taken(provider)) == 20


def test_retries_are_a_share_of_the_traffic_and_who_finds_no_room_loses_no_try(
    people, provider, configure, monkeypatch
):
    configure(**QUICK, MINGUS_RESEND_BASE_URL=provider.url)
    monkeypatch.setattr(retry_budget, "FLOOR", 2)
    people(*(person(f"P{n}", n) for n in range(12)))
    sent = lessons([f"user_p{n}" for n in range(12)])
    with transaction() as connection:
        execute(
            connection,
            "UPDATE notifications SET tries = 1 WHERE id = ANY(%s::uuid[])",
            ([str(s) for s in sent[:10]],),
        )
    deliver(sent)
    waiting = [row_of(each) for each in sent if row_of(each)["reason"] == "retry_budget"]
    assert len(waiting) == 8
    assert all((each["state"], each["tries"]) == ("accepted", 1) for each in waiting)
    assert len(taken(provider)) == 4
