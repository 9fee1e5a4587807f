"""What bad input does to the flows on a real store: a clear error or an explicit empty result, never a silent zero."""

from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from analytics import send_time_load
from analytics.engagement_load import shards
from analytics.frames import UserWithoutZone
from analytics.load import reader
from analytics.send_time_choice import choose
from core.clock import utc_now
from core.database import transaction
from core.ids import new_id
from core.statements import insert_rows, rows
from flows import analyze_user_engagement as engagement
from flows import process_failed_messages as failed
from flows import retention as retained
from flows import track_delivery_rates as delivery
from flows.window import WindowEnd, slot_of, window_before


@pytest.fixture
def told(store, redis):
    """told("delivered", at, of=try): a callback's event about a text of Maya's; a new try when none is given."""
    store.execute("INSERT INTO users (id, time_zone) VALUES ('user_maya', NULL)")

    def add(kind, at, *, of=None):
        of = of or new_id()
        with transaction() as connection:
            insert_rows(
                connection,
                "INSERT INTO delivery_events (id, at, notification_id, user_id, channel, provider, message_type, kind)"
                " VALUES %s",
                [(new_id(), at, of, "user_maya", "sms", "twilio", "payment_reminder", kind)],
            )
        return of

    return add


def figures(now):
    delivery.refresh.fn()
    found = delivery.measure.fn(window_before(None, 24, now))
    return next((each.values for each in found if each.grouping == "all"), None)


def test_an_empty_window_is_told_as_such_by_every_flow(redis, database):
    now = utc_now()
    window = window_before(slot_of(now) - timedelta(days=400), 24, now)
    found = delivery.measure.fn(window)
    assert found == []
    assert delivery.finding(found, []) == "Nothing was sent in this window."
    triaged, causes = failed.judge.fn(window)
    assert failed.finding(triaged, causes, []).startswith("Nothing failed")
    patterns = engagement.look.fn(window, engagement.NO_SCORES)
    assert patterns["funnel"] == patterns["hours"] == patterns["cohorts"] == []
    assert engagement.finding(engagement.NO_SCORES, patterns).startswith("No scores:")


def test_a_person_without_a_zone_is_an_error_for_one_send_and_counted_in_utc_for_all(told):
    now = utc_now()
    with pytest.raises(UserWithoutZone, match="time_zone"):
        choose([1 / 24] * 24, user_id="user_maya", notification_id="n", now=now, deadline=now + timedelta(hours=9),
               time_zone=None)  # fmt: skip
    at = now.replace(minute=10) - timedelta(days=2)
    with transaction() as connection:
        insert_rows(
            connection, "INSERT INTO person_hours (user_id, channel, at, opens, clicks) VALUES %s",
            [("user_maya", "email", at, 0, 1)],
        )  # fmt: skip
    with reader() as connection:
        [shard] = shards(connection)
        counts = send_time_load.counts(connection, shard, "email", now=now).counts
    assert counts[0].argmax() == at.hour


def test_a_delivery_before_its_send_counts_as_delivered_and_has_no_latency(told):
    now = utc_now()
    for _ in range(30):
        of = told("sent", now - timedelta(hours=2))
        told("delivered", now - timedelta(hours=2, seconds=40), of=of)
    found = figures(now)
    assert (found["counts"]["sent"], found["counts"]["delivered"]) == (30, 30)
    assert found["latency_ms"] == {}


def test_activity_in_the_future_is_no_activity_yet(told):
    now = utc_now()
    with transaction() as connection:
        insert_rows(
            connection, "INSERT INTO person_hours (user_id, channel, at, opens, clicks) VALUES %s",
            [("user_maya", "email", now + timedelta(days=3), 0, 1)],
        )  # fmt: skip
    with reader() as connection:
        counts, active = send_time_load.sample(connection, "email", 100, now=now)
        [shard] = shards(connection)
        found = send_time_load.counts(connection, shard, "email", now=now)
    assert (counts.sum(), active) == (0, 0)
    assert found.counts.sum() == 0


def test_a_webhook_that_is_told_three_times_counts_once(told):
    now = utc_now()
    of = told("sent", now - timedelta(hours=1))
    for seconds in (5, 5, 9):
        told("delivered", now - timedelta(hours=1) + timedelta(seconds=seconds), of=of)
    found = figures(now)
    assert (found["counts"]["sent"], found["counts"]["delivered"]) == (1, 1)
    told("delivered", now - timedelta(minutes=50), of=of)  # and once more after it was rolled up
    assert figures(now)["counts"]["delivered"] == 1


def test_a_window_in_the_future_is_refused_before_a_run_begins():
    with pytest.raises(ValidationError, match="in the future"):
        TypeAdapter(WindowEnd).validate_python(utc_now() + timedelta(hours=1))


def test_events_whose_month_has_no_partition_are_counted_and_move_into_it_when_it_is_made(told, store):
    now = utc_now()
    month = f"delivery_events_{now:%Y%m}"
    store.execute(f"DROP TABLE {month}")
    of = told("sent", now)
    told("delivered", now + timedelta(seconds=1), of=of)
    assert figures(now)["counts"]["delivered"] == 1
    made, _, left = retained.tidy.fn(13)
    assert made == 1
    assert month in {each.name for each in left}
    with transaction() as connection:
        assert rows(connection, f"SELECT count(*) FROM {month}") == [(2,)]
        assert rows(connection, "SELECT count(*) FROM delivery_events_default") == [(0,)]
        assert rows(connection, "SELECT count(*) FROM alarms") == [(0,)]
    told("opened", now, of=of)
    assert figures(now)["counts"]["delivered"] == 1  # what has moved is not counted again


def test_events_of_a_month_that_nobody_foresees_raise_an_alarm(told):
    told("sent", utc_now() - timedelta(days=4000))
    made, _, _ = retained.tidy.fn(13)
    assert made == 0
    with transaction() as connection:
        [(sentence,)] = rows(connection, "SELECT sentence FROM alarms WHERE name = 'stray_events'")
    assert sentence.startswith("1 events lie in no month")
