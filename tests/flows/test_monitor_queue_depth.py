"""monitor-queue-depth: what really waits, when it will be gone, and pools that grow when they can."""

import json
import os
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from datetime import datetime, timedelta

import psycopg2
import pytest

from analytics.lanes import LIMITS, Waiting, assess
from analytics.queueing import Reading
from core.clock import utc_now
from core.database import transaction
from core.ids import first_id, new_id
from core.statements import rows
from core.vocabulary import Lane
from flows import broker
from flows import monitor_queue_depth as flow

NOW = datetime.fromisoformat("2026-11-02T12:00:00+00:00")


@pytest.fixture(autouse=True)
def _nobody_answers(request, monkeypatch):
    """Where no worker runs, none needs to be waited for."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(broker, "ANSWER_SECONDS", 0.05)


@pytest.fixture
def waiting(store):
    """waiting("sms_daily", "accepted", -60): one notification of the lane, due so many seconds from now."""
    store.execute("INSERT INTO users (id) VALUES ('user_maya')")

    def add(lane, state, due_in):
        notification = new_id()
        store.execute(
            "INSERT INTO notifications (id, user_id, message_type, lane, state, payload_sealed, content_hash, deliver_after,"
            " publish_after, expires_at) VALUES (%s, 'user_maya', 'x', %s, %s, '', '', now() + %s * interval '1 s', now(), now() + interval '1 day')",
            (notification, lane, state, due_in),
        )
        return notification

    return add


@pytest.fixture
def served(store):
    """served(notification, 2.0): one attempt of it that has just ended, after so many seconds."""

    def add(notification, seconds):
        store.execute(
            "INSERT INTO attempts (id, notification_id, fence, number, channel, provider, contact_point_id, key, opened_at,"
            " closed_at, outcome) VALUES (%s, %s, 1, 1, 'sms', 'twilio', %s, 'k', now() - %s * interval '1 s', now(), 'accepted')",
            (new_id(), notification, new_id(), seconds),
        )

    return add


def test_a_lane_is_counted_by_what_is_due_later_and_claimed(redis, waiting):
    for due_in in (-120, -60, 30):
        waiting("sms_daily", "accepted", due_in)
    waiting("sms_daily", "claimed", -300)
    waiting("sms_daily", "delivered", -300)
    time.sleep(0.002)  # what comes in this very millisecond belongs to the next sample
    sample = {each.lane: each for each in flow.look.fn(utc_now())}[Lane.SMS_DAILY]
    assert (sample.due, sample.later, sample.claimed, sample.depth) == (2, 1, 1, 3)
    assert 119 < sample.oldest_seconds < 130
    assert sample.arrived == 5


def test_messages_are_counted_in_all_priorities(redis, database):
    redis.lpush("sms_daily", "a", "b")
    redis.lpush("sms_daily\x06\x163", "c")
    redis.lpush("email_reports\x06\x169", "d")
    assert broker.queued() == {"sms_critical": 0, "sms_daily": 3, "email_reports": 1, "email_education": 0}


def test_a_second_look_knows_the_rates_and_forecasts_the_drain(redis, waiting, served):
    flow.keep.fn(flow.look.fn(utc_now()), utc_now())
    time.sleep(0.05)
    for _ in range(4):
        served(waiting("sms_daily", "delivered", -1), 2.0)
    waiting("sms_daily", "accepted", -1)
    time.sleep(0.002)
    now = utc_now()
    sample = {each.lane: each for each in flow.look.fn(now)}[Lane.SMS_DAILY]
    assert (sample.arrived, sample.served) == (5, 4)
    assert sample.arrivals_per_second > sample.services_per_second > 0
    flow.keep.fn([sample], now)
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM queue_samples") == [(5,)]


def lane(due=0, *, oldest=0.0, seconds=2.0, concurrency=4, past=()):
    found = Waiting(
        due=due, later=0, claimed=0, oldest_seconds=oldest, arrived=0, served=0, service_seconds=seconds
    )
    return assess(
        Lane.SMS_DAILY, found, past, now=NOW, queued=0, unacknowledged=0, concurrency=concurrency
    )  # fmt: skip


PAST = [Reading(at=NOW - timedelta(minutes=5), depth=0, arrived=0, served=0)]


def test_the_drain_is_forecast_from_hands_and_seconds():
    assert lane(100, past=PAST).drain_seconds == pytest.approx(50)


def test_more_hands_are_wanted_the_more_is_waiting_but_within_bounds():
    wanted = [lane(depth, past=PAST).wanted for depth in (0, 5_000, 1_000_000)]
    assert wanted == sorted(wanted)
    assert (wanted[0], wanted[-1]) == (LIMITS[Lane.SMS_DAILY].least, LIMITS[Lane.SMS_DAILY].most)


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        (lane(5, oldest=901), "the oldest has waited 901 s"),
        (lane(60_000), "60,000 are waiting"),
        (lane(10_000, past=PAST), "needs 5,000 s to drain"),
        (lane(1, concurrency=0), "nobody works on it"),
    ],
)
def test_a_broken_limit_is_told_in_a_sentence(sample, sentence):
    assert any(sentence in each for each in sample.exceeded())


def test_an_empty_lane_is_well_even_without_hands():
    assert lane(concurrency=0).exceeded() == []


def test_an_alarm_is_raised_once_and_ends_when_the_lane_is_empty(redis, waiting, store):
    waiting("sms_critical", "accepted", -600)
    for _ in range(2):
        flow.keep.fn(flow.look.fn(utc_now()), utc_now())
    with transaction() as connection:
        assert rows(connection, "SELECT subject, ended_at IS NULL FROM alarms") == [("sms_critical", True)]
    store.execute("UPDATE notifications SET state = 'delivered'")
    flow.keep.fn(flow.look.fn(utc_now()), utc_now())
    with transaction() as connection:
        assert rows(connection, "SELECT ended_at IS NULL FROM alarms") == [(False,)]
    assert json.loads(redis.hget("mingus:analytics:lanes", "sms_critical"))["depth"] == 0


def test_ids_of_a_moment_sort_between_those_before_and_after():
    before = new_id()
    time.sleep(0.002)
    middle = first_id(utc_now())
    time.sleep(0.002)
    assert before < middle < new_id()


@contextmanager
def worker_of_the_daily_lane(name, pool):
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-Q", "sms_daily", "-n", f"{name}@%h", "--pool", pool,
         "-c", "1", "--without-gossip", "--without-mingle"],
        env=os.environ.copy(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(30)


def until(true, seconds=90):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.5)


@pytest.mark.slow
def test_what_a_worker_has_taken_and_not_begun_is_counted(redis, database, waiting):
    from tasks.chunk import deliver_chunk

    with closing(psycopg2.connect(database)) as other, other.cursor() as cursor:
        for _ in range(3):
            deliver_chunk.apply_async(
                args=([str(waiting("sms_daily", "accepted", -1))],), queue=Lane.SMS_DAILY
            )
        cursor.execute("LOCK TABLE notifications IN EXCLUSIVE MODE")  # the first delivery waits for us
        with worker_of_the_daily_lane("busy", "threads"):
            until(lambda: broker.unacknowledged() == {Lane.SMS_DAILY: 1})
            assert broker.queued()[Lane.SMS_DAILY] == 1
            other.rollback()


@pytest.mark.slow
def test_a_pool_that_can_grow_gets_the_hands_that_its_lane_wants(redis, database):
    with worker_of_the_daily_lane("grow", "prefork"):
        until(broker.pools)
        pools = broker.pools()
        assert [(pool.lanes, pool.size, pool.growable) for pool in pools] == [({Lane.SMS_DAILY}, 1, True)]
        wanted = dict.fromkeys(Lane, 1) | {Lane.SMS_DAILY: 3}
        assert list(broker.resize(pools, wanted).values()) == [2]
        until(lambda: broker.concurrency(broker.pools())[Lane.SMS_DAILY] == 3)
