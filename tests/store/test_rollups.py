"""Rollups hold exactly what a recount of all events finds, whoever writes at the same time and however late."""

import random
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import psycopg2
import pyarrow as pa
import pytest

from analytics import rollups
from analytics.history import invent_people, tables
from analytics.history.scenario import WEEKLY
from analytics.history.write import copy, past_days
from analytics.latency import bucket_of
from analytics.load import EVENTS_OF_TRIES, read, reader
from analytics.machines import mark_machines
from analytics.rates import count, summarise
from analytics.rollup_statements import COUNTS
from core.database import transaction

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
ROLLUPS = (
    "try_slots",
    "try_domains",
    "campaign_days",
    "latency_hours",
    "user_days",
    "person_hours",
    "event_hours",
)
SHARED = [name for name in COUNTS if name not in {"ended", "micros"}]
TRY = ["notification_id", "channel", "provider"]


def some_events(about: int, seed: int = 5) -> pa.Table:
    people = invent_people(round(about / 2.2 / WEEKLY * 7 / 5), seed=seed)
    rng = np.random.default_rng(seed)
    days = past_days(people, days=5, until=NOON, per_week=WEEKLY, rng=rng)
    return pa.concat_tables(
        tables.events(day, people, tables.ids(day.notifications["created"].to_numpy()), None, told_by=10**16)
        for day in days
    )


def contents() -> dict[str, list[tuple]]:
    with transaction() as connection:
        return {
            name: sorted(map(tuple, connection.exec_driver_sql(f"SELECT * FROM {name}")), key=repr)
            for name in ROLLUPS
        }


def all_events() -> pd.DataFrame:
    with reader() as connection:
        return read(connection, EVENTS_OF_TRIES, (datetime(2020, 1, 1, tzinfo=UTC), FAR, list(KINDS)))


KINDS = ("sent", "delivered", "bounced_hard", "bounced_soft", "failed", "opened", "clicked", "complained", "unsubscribed", "suppressed")  # fmt: skip


def brute_force() -> dict[str, pd.DataFrame]:
    """The same counts by pandas, from all events, by the functions that define them."""
    marked = mark_machines(all_events())
    tries = summarise(marked, now=FAR)
    tries["slot"] = tries["sent_at"].dt.floor("5min")
    tries["hour"] = tries["sent_at"].dt.floor("h")
    delivered = marked[marked["event"] == "delivered"].groupby(TRY)["at"].min().rename("delivered_at")
    took = tries.join(delivered, on=TRY)
    took["ms"] = (took["delivered_at"] - took["sent_at"]) / pd.Timedelta(milliseconds=1)
    took = took[took["ms"] >= 0]
    took["bucket"] = bucket_of(took["ms"].to_numpy(dtype=float))
    human = marked[marked["event"].isin(["opened", "clicked"]) & ~marked["is_machine"]]
    human = human[(human["event"] == "clicked") | (human["channel"] == "email")]
    human = human.merge(tries[TRY], on=TRY)
    bad = marked[marked["event"].isin(["unsubscribed", "complained"])].merge(tries[TRY], on=TRY)
    return {
        "slots": count(tries, ["slot", "channel", "provider", "message_type"]),
        "domains": count(tries, ["hour", "channel", "provider", "domain_or_carrier"]),
        "latency": took.groupby(["hour", "channel", "provider", "message_type", "bucket"]).size(),
        "sent": by_day(tries.rename(columns={"sent_at": "at"})),
        "engaged": by_day(human.groupby([*TRY, "user_id"])["at"].min().reset_index()),
        **{
            name: by_half_hour(
                human[human["event"] == kind].groupby([*TRY, "user_id"])["at"].min().reset_index()
            )
            for name, kind in (("opens", "opened"), ("clicks", "clicked"))
        },
        "negative": by_day(bad.groupby([*TRY, "user_id"])["at"].min().reset_index()),
    }


def by_day(frame: pd.DataFrame) -> pd.Series:
    return frame.assign(day=frame["at"].dt.floor("D")).groupby(["user_id", "channel", "day"]).size()


def by_half_hour(frame: pd.DataFrame) -> pd.Series:
    return frame.assign(at=frame["at"].dt.floor("30min")).groupby(["user_id", "channel", "at"]).size()


def rolled(query: str) -> pd.DataFrame:
    with reader() as connection:
        return read(connection, query)


def assert_equal_to_recount() -> None:
    true = brute_force()
    slots = rolled("SELECT * FROM try_slots ORDER BY slot, channel, provider, message_type")
    assert len(slots) == len(true["slots"]) > 0
    for name in SHARED:
        assert slots[name].tolist() == true["slots"][name].tolist(), name
    domains = rolled("SELECT * FROM try_domains ORDER BY hour, channel, provider, nullif(domain, '')")
    for name in SHARED:
        assert domains[name].tolist() == true["domains"][name].tolist(), name
    latency = rolled("SELECT * FROM latency_hours ORDER BY hour, channel, provider, message_type, bucket")
    assert latency["tries"].tolist() == true["latency"].tolist()
    assert latency["bucket"].tolist() == true["latency"].index.get_level_values("bucket").tolist()
    for name in ("sent", "engaged", "negative"):
        days = rolled(f"SELECT * FROM user_days WHERE {name} <> 0 ORDER BY user_id, channel, day")
        assert days[name].tolist() == true[name].tolist(), name
        assert days["user_id"].tolist() == true[name].index.get_level_values("user_id").tolist()
    for name in ("opens", "clicks"):
        hours = rolled(f"SELECT * FROM person_hours WHERE {name} <> 0 ORDER BY user_id, channel, at")
        assert hours[name].tolist() == true[name].tolist(), name
        assert hours["at"].tolist() == true[name].index.get_level_values("at").tolist()
    kinds = rolled("SELECT kind, sum(events)::bigint AS events FROM event_hours GROUP BY 1 ORDER BY 1")
    true_kinds = rolled("SELECT kind, count(*) AS events FROM delivery_events GROUP BY 1 ORDER BY 1")
    assert kinds.to_dict() == true_kinds.to_dict()


def insert(cursor, events: pa.Table) -> None:
    copy(cursor, "delivery_events", events)


def shuffled(events: pa.Table, seed: int) -> pa.Table:
    order = np.random.default_rng(seed).permutation(len(events))
    return events.take(pa.array(order))


def write_chunks(url: str, events: pa.Table, seed: int) -> None:
    """Commits small chunks; every fifth transaction is held open while the others go on and the rollups run."""
    draw = random.Random(seed)
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        at = 0
        while at < len(events):
            size = draw.randint(50, 900)
            insert(cursor, events.slice(at, size))
            if draw.random() < 0.2:
                time.sleep(draw.uniform(0.05, 0.4))
            connection.rollback() if draw.random() < 0.03 else connection.commit()
            at += size


@pytest.mark.slow
def test_a_hundred_thousand_events_of_eight_writers_with_late_commits_are_counted_exactly(database):
    events = shuffled(some_events(100_000), seed=1)
    assert 85_000 < len(events) < 115_000
    share = len(events) // 8 + 1
    writers = [
        threading.Thread(target=write_chunks, args=(database, events.slice(number * share, share), number))
        for number in range(8)
    ]
    for writer in writers:
        writer.start()
    runs = 0
    while any(writer.is_alive() for writer in writers):
        rollups.refresh()
        runs += 1
        time.sleep(0.05)
    rollups.refresh()
    assert runs >= 3
    assert_equal_to_recount()
    followed = contents()
    rollups.rebuild()
    assert contents() == followed


@pytest.fixture
def store(database):
    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        yield cursor


def test_a_run_without_new_events_changes_nothing(store):
    insert(store, some_events(2_000))
    store.connection.commit()
    rollups.refresh()
    before = contents()
    assert rollups.refresh().tries == 0
    assert contents() == before


def test_what_is_not_committed_is_not_counted_and_not_lost(store, database):
    events = some_events(2_000)
    with closing(psycopg2.connect(database)) as slow, slow.cursor() as late:
        insert(late, events.slice(0, 700))
        insert(store, events.slice(700))
        store.connection.commit()
        rollups.refresh()
        assert rolled("SELECT coalesce(sum(events), 0)::bigint AS n FROM event_hours")["n"].tolist() == [0]
        with transaction() as connection:
            assert rollups.lag_seconds(connection) > 0
        slow.commit()
    rollups.refresh()
    assert_equal_to_recount()
    with transaction() as connection:
        assert rollups.lag_seconds(connection) == 0


def test_a_webhook_that_comes_days_late_changes_the_hour_of_its_send(store):
    events = some_events(2_000)
    is_late = pa.compute.equal(events["kind"], "delivered")
    insert(store, events.filter(pa.compute.invert(is_late)))
    store.connection.commit()
    rollups.refresh()
    assert rolled("SELECT sum(delivered)::bigint AS n FROM try_slots")["n"].tolist() == [0]
    insert(store, events.filter(is_late))
    store.connection.commit()
    rollups.refresh()
    assert_equal_to_recount()


def test_a_send_told_again_with_an_earlier_time_moves_its_try(store):
    insert(store, some_events(500))
    store.connection.commit()
    rollups.refresh()
    store.execute(
        "INSERT INTO delivery_events (id, at, notification_id, user_id, channel, provider, message_type, kind, domain)"
        " SELECT gen_random_uuid(), at - interval '26 hours', notification_id, user_id, channel, provider, message_type,"
        " kind, domain FROM delivery_events WHERE kind = 'sent' LIMIT 40"
    )
    store.connection.commit()
    rollups.refresh()
    assert_equal_to_recount()


def test_what_was_counted_stays_when_its_old_events_are_dropped(store):
    insert(store, some_events(2_000))
    store.connection.commit()
    rollups.refresh()
    before = contents()
    store.execute("DELETE FROM delivery_events WHERE at < %s", (NOON - timedelta(days=2),))
    store.connection.commit()
    store.execute(
        "INSERT INTO delivery_events (id, at, notification_id, channel, provider, kind)"
        " VALUES (gen_random_uuid(), now(), gen_random_uuid(), 'sms', 'twilio', 'delivered')"
    )
    store.connection.commit()
    rollups.refresh()
    after = contents()
    assert after["try_slots"] == before["try_slots"]
    assert after["user_days"] == before["user_days"]
