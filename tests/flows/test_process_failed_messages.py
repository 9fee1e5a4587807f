"""process-failed-messages: triage, causes, and one more chance only where it can do no harm."""

from datetime import timedelta

import pytest

from core.clock import utc_now
from core.database import transaction
from core.ids import new_id
from core.statements import rows
from flows import process_failed_messages as flow
from flows.window import slot_of, window_before


@pytest.fixture
def dead(store):
    """dead("capacity"): a dead notification with an open dead letter of that class; returns its id."""
    store.execute("INSERT INTO users (id) VALUES ('user_maya')")

    def bury(error_class, reason="retries_exhausted"):
        notification = new_id()
        store.execute(
            "INSERT INTO notifications (id, user_id, message_type, lane, state, payload_sealed, content_hash, tries,"
            " deliver_after, publish_after, expires_at)"
            " VALUES (%s, 'user_maya', 'payment_reminder', 'sms_daily', 'dead', '', '', 2, now(), now(), now() + interval '5 hours')",
            (notification,),
        )
        store.execute(
            "INSERT INTO dead_letters (id, notification_id, reason, error_class) VALUES (%s, %s, %s, %s)",
            (new_id(), notification, reason, error_class),
        )
        return notification

    return bury


def test_what_a_bad_moment_killed_has_one_more_chance_and_our_own_mistakes_raise_an_alarm(dead, store):
    busy, ours = dead("capacity"), dead("ours", "render_failed: amount")
    acted = flow.act.fn([], 100)
    assert (acted.replayed, acted.staying) == ({"capacity": 1}, {("ours", "render_failed: amount"): 1})
    store.execute("SELECT id::text, state, tries FROM notifications ORDER BY state")
    assert store.fetchall() == [(str(busy), "accepted", 0), (str(ours), "dead", 2)]
    store.execute("SELECT actor, action, subject FROM audit_entries")
    assert store.fetchall() == [("process-failed-messages", "dead_letter.replay", str(busy))]
    store.execute("SELECT name, subject FROM alarms WHERE ended_at IS NULL")
    assert store.fetchall() == [("dead_letters", "ours/render_failed: amount")]
    told = flow.verdict(window_before(None, 24, utc_now()), [], [], acted)
    assert "1 dead letters (capacity) have one more chance" in told
    assert "1 dead letters wait for a person**: render_failed: amount (ours)" in told


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
    assert "Nothing failed." in flow.verdict(window, [], [])
