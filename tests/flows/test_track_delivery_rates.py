"""track-delivery-rates: exact figures of a window, replaced whole, with an alarm that ends by itself."""

import json
import random
from datetime import timedelta
from uuid import UUID

import pytest

from core.clock import utc_now
from core.database import transaction
from core.ids import new_id
from core.statements import execute, insert_rows, rows
from flows import track_delivery_rates as flow
from flows.window import slot_of, window_before

DAY = timedelta(days=1)


def run(window, *, is_current=True):
    flow.refresh.fn()
    figures = flow.measure.fn(window)
    flow.keep.fn(window, figures, is_current=is_current)
    return figures


def by_name(figures):
    return {(each.grouping, each.name): each.values for each in figures}


def test_figures_are_those_of_the_events(redis, store, past):
    now = past(200, days=3)
    window = window_before(None, 24, now)
    found = by_name(run(window))
    store.execute(
        "SELECT channel, count(*) FROM (SELECT DISTINCT notification_id, channel, provider FROM delivery_events"
        " WHERE kind = 'sent' AND at >= %s AND at < %s) AS tries GROUP BY 1",
        (window.start, window.end),
    )
    sent = dict(store.fetchall())
    assert {name: found["channel", name]["counts"]["sent"] for name in sent} == sent
    assert found["all", "all"]["counts"]["sent"] == sum(sent.values())
    delivery = found["channel", "email"]["rates"]["delivery"]
    assert 0.9 < delivery["low"] < delivery["value"] <= delivery["high"] <= 1
    assert found["provider", "sms/twilio"]["latency_ms"]["p50"] > 500
    assert found["channel", "sms"]["cost"] >= 0.0075 * sent["sms"]


def test_a_window_computed_again_replaces_its_rows_and_leaves_others(redis, store, past):
    now = past(60, days=3)
    today, yesterday = window_before(None, 24, now), window_before(slot_of(now) - DAY, 24, now)
    for _ in range(2):
        run(today)
        run(yesterday, is_current=False)
    store.execute(
        "SELECT window_end, count(*), count(DISTINCT (grouping, name)) FROM delivery_rates GROUP BY 1"
    )
    counted = store.fetchall()
    assert {end for end, _, _ in counted} == {today.end, yesterday.end}
    assert all(found == distinct for _, found, distinct in counted)


def test_redis_holds_the_current_window_only(redis, past):
    now = past(60, days=3)
    run(window_before(None, 24, now))
    run(window_before(slot_of(now) - DAY, 24, now), is_current=False)
    current = redis.hgetall("mingus:analytics:delivery_rates")
    assert json.loads(current[b"window"])["end"].startswith(
        f"{window_before(None, 24, now).end:%Y-%m-%dT%H:%M}"
    )
    assert json.loads(current[b"channel:sms"])["counts"]["sent"] > 0
    assert 0 < redis.ttl("mingus:analytics:delivery_rates") <= flow.HOLD_SECONDS


def test_a_window_without_sends_says_so_and_is_no_zero(redis, database):
    window = window_before(slot_of(utc_now()) - 400 * DAY, 24, utc_now())
    figures = run(window, is_current=False)
    assert figures == []
    assert "nothing to judge" in flow.verdict(window, figures, [])
    assert flow.summary(window, figures, [])["delivery_rates"] == {}


def test_a_group_whose_only_try_lies_before_the_window_in_the_same_hour_is_left_out(redis, database):
    hour = utc_now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    before, inside = new_id(), new_id()
    write_events(
        [(before, "sent", hour + timedelta(minutes=1)), (before, "delivered", hour + timedelta(minutes=2))]
    )
    write_events([(inside, "sent", hour + timedelta(minutes=31))])
    with transaction() as connection:
        execute(
            connection,
            "UPDATE delivery_events SET message_type = 'weekly_checkin' WHERE notification_id = %s",
            (inside,),
        )
    window = window_before(hour + timedelta(minutes=50), 0.5, utc_now())
    found = by_name(run(window, is_current=False))
    assert ("message_type", "weekly_checkin/sms") in found
    assert ("message_type", "payment_reminder/sms") not in found


def test_what_is_pending_is_not_yet_counted_as_failed(redis, database):
    now = utc_now()
    sends = [(new_id(), now - timedelta(seconds=second)) for second in range(40)]
    write_events([(notification, "sent", at) for notification, at in sends])
    found = by_name(run(window_before(None, 24, now)))
    assert found["all", "all"]["counts"]["sent"] == 40
    assert "delivery" not in found["all", "all"]["rates"]


def write_events(facts: list[tuple[UUID, str, object]]) -> None:
    with transaction() as connection:
        insert_rows(
            connection,
            "INSERT INTO delivery_events (id, at, notification_id, user_id, channel, provider, message_type, kind) VALUES %s",
            [(new_id(), at, each, "user_maya", "sms", "twilio", "payment_reminder", kind) for each, kind, at in facts],
        )  # fmt: skip


@pytest.fixture
def falling(database):
    """Thirty days of texts at 98.5 %, 2 in each five minutes; in the last two hours only half arrive."""
    draw, now = random.Random(3), slot_of(utc_now())
    facts = []
    for number in range(31 * 288 * 2 - 40):
        at = now - timedelta(minutes=15 + number * 2.5)
        notification = new_id()
        facts.append((notification, "sent", at))
        if draw.random() < (0.5 if number < 48 else 0.985):
            facts.append((notification, "delivered", at + timedelta(seconds=3)))
    write_events(facts)


def test_a_fall_raises_one_alarm_and_its_end_ends_it(redis, falling):
    flow.refresh.fn()
    for _ in range(2):
        [watch] = flow.watch.fn()
        assert watch.alarmed
        assert watch.rate < 0.8
        assert watch.normal > 0.97
    with transaction() as connection:
        assert rows(connection, "SELECT name, subject, ended_at FROM alarms") == [
            ("delivery_rate", "sms/twilio", None)
        ]
        execute(
            connection, "UPDATE delivery_events SET at = at - interval '3 days'"
        )  # the bad time is long over
    with transaction() as connection:
        execute(connection, "UPDATE rollup_state SET upto = '0'")
    flow.refresh.fn()
    [watch] = flow.watch.fn()
    assert not watch.alarmed
    assert watch.sentence() == "sms/twilio: nothing of the last day is old enough to be judged."
    with transaction() as connection:
        [(ended,)] = rows(connection, "SELECT ended_at FROM alarms")
    assert ended is not None


def test_with_little_past_nothing_is_called_normal(redis, past):
    past(60, days=2)
    flow.refresh.fn()
    assert all(each.learning for each in flow.watch.fn())
