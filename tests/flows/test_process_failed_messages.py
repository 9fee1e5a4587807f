"""process-failed-messages: triage, causes, and one more chance only where it can do no harm."""

import random
from datetime import timedelta

import pytest

from core.clock import utc_now
from core.database import rows, transaction
from core.ids import new_id
from flows import process_failed_messages as flow
from flows.replays import replay
from flows.window import slot_of, window_before


@pytest.fixture
def dead(store):
    """dead("transient_network", …): a dead notification with an open dead letter of that class; returns its id."""
    store.execute("INSERT INTO users (id) VALUES ('user_maya')")

    def bury(error_class, *, expires_in=timedelta(hours=5), attempt="retry_later", earlier=None):
        notification = new_id()
        store.execute(
            "INSERT INTO notifications (id, user_id, message_type, lane, state, payload_sealed, content_hash, deliver_after,"
            " publish_after, expires_at) VALUES (%s, 'user_maya', 'payment_reminder', 'sms_daily', 'dead', '', '', now(), now(), now() + %s)",
            (notification, expires_in),
        )
        store.execute(
            "INSERT INTO attempts (id, notification_id, fence, number, channel, provider, contact_point_id, key, outcome, closed_at)"
            " VALUES (%s, %s, 1, 1, 'sms', 'twilio', %s, 'k', %s, CASE WHEN %s IS NULL THEN NULL ELSE now() END)",
            (new_id(), notification, new_id(), attempt, attempt),
        )
        for settled_as in filter(None, ["open", earlier]):
            store.execute(
                "INSERT INTO dead_letters (id, notification_id, reason, error_class, settled_at, settled_as)"
                " VALUES (%s, %s, 'retries_exhausted', %s, CASE %s WHEN 'open' THEN NULL ELSE now() END, %s)",
                (new_id(), notification, error_class, settled_as, "" if settled_as == "open" else settled_as),
            )
        return notification

    return bury


def replay_all(most=100):
    with transaction() as connection:
        return replay(connection, now=utc_now(), most=most, rng=random.Random(1))


def state_of(notification):
    with transaction() as connection:
        return rows(
            connection,
            "SELECT state, deliver_after, expires_at FROM notifications WHERE id = %s",
            (notification,),
        )[0]


@pytest.mark.parametrize("error_class", ["transient_network", "capacity", "unknown"])
def test_a_bad_moment_of_a_provider_gets_one_more_chance_before_the_message_expires(dead, error_class):
    notification = dead(error_class)
    assert [(each.error_class, each.count) for each in replay_all()] == [(error_class, 1)]
    state, due, expires = state_of(notification)
    assert state == "accepted"
    assert due < expires
    assert replay_all() == []


@pytest.mark.parametrize(
    ("why", "given"),
    [
        ("it has expired", {"error_class": "transient_network", "expires_in": timedelta(minutes=-1)}),
        ("it may have been sent", {"error_class": "unknown", "attempt": "unknown"}),
        ("its attempt is still open", {"error_class": "transient_network", "attempt": None}),
        ("it was replayed before", {"error_class": "capacity", "earlier": "replayed"}),
        ("our own code is at fault", {"error_class": "ours"}),
        ("the address is dead", {"error_class": "permanent_address"}),
        ("the person has opted out", {"error_class": "permanent_consent"}),
        ("the content was refused", {"error_class": "content_policy"}),
    ],
)
def test_a_dead_letter_stays_dead_because(dead, why, given):
    notification = dead(**given)
    assert replay_all() == [], why
    assert state_of(notification)[0] == "dead"


def test_no_more_are_replayed_at_once_than_asked_for(dead):
    for _ in range(5):
        dead("capacity")
    assert [each.count for each in replay_all(most=2)] == [2]


@pytest.fixture
def failing(store):
    """A week with three ordinary failures a day, and today 60 texts filtered on one template."""
    now = slot_of(utc_now()) - timedelta(minutes=5)

    def fail(at, code, error_class, message_type):
        store.execute(
            "INSERT INTO delivery_events (id, at, channel, provider, message_type, kind, code, error_class)"
            " VALUES (%s, %s, 'sms', 'twilio', %s, 'failed', %s, %s)",
            (new_id(), at, message_type, code, error_class),
        )

    for hour in range(0, 8 * 24, 8):
        fail(now - timedelta(hours=hour), "30003", "", "payment_reminder")
    for minute in range(60):
        fail(now - timedelta(minutes=5 * minute), "30007", "content_policy", "weekly_checkin")


def test_the_cause_of_most_failures_is_named_and_raises_an_alarm(failing):
    window = window_before(None, 24, utc_now())
    triaged, causes = flow.judge.fn(window)
    assert triaged[0]["code"] == "30007"
    assert triaged[0]["act"] == "quarantine_template_and_sender"
    assert "30007" in causes[0].sentence()
    assert "explains 9" in causes[0].sentence()
    flow.act.fn(triaged, 10)
    flow.keep.fn(window, triaged, causes)
    with transaction() as connection:
        assert rows(connection, "SELECT name, subject FROM alarms") == [
            ("failure_cause", "twilio/content_policy/30007")
        ]
        [(body,)] = rows(connection, "SELECT body FROM reports WHERE name = 'failures'")
    assert body["triage"][0]["failures"] == 60


def test_a_failure_without_a_class_is_given_one_by_its_code(failing):
    triaged, _ = flow.judge.fn(window_before(None, 24, utc_now()))
    assert {row["class"] for row in triaged if row["code"] == "30003"} == {"transient_network"}


def test_a_window_in_which_nothing_failed_says_so(database):
    window = window_before(None, 24, utc_now())
    assert flow.judge.fn(window) == ([], [])
    assert "Nothing failed." in flow.verdict(window, [], [], [])
