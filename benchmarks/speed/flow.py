"""P6 and P7: the relay over many due and many waiting rows, and what growth costs."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psutil
import redis

from benchmarks.speed import bulk
from benchmarks.speed.bulk import PEOPLE, REMINDER, accept_bulk, heartbeats, node
from benchmarks.speed.figures import Figure, percentile
from benchmarks.speed.population import fresh_database
from benchmarks.speed.stage import Stage, schema_mark

DUE = int(os.environ.get("BENCH_DUE", "60000"))
WAITING = int(os.environ.get("BENCH_WAITING", "1000000"))
LOG_ROWS = int(os.environ.get("BENCH_LOG_ROWS", "1000000"))
SMALL_LOG = 100_000
WARM = 5000
SOAK = int(os.environ.get("BENCH_SOAK", "100000"))
COMPARED = 80_000
"""Messages over which the throughput beside both logs is measured, in so many rounds."""
ROUNDS = 2
TICKS = 40

# Copies of one real row with ids of their own and the asked-for times: what the relay's index sees.
COPIES = """
INSERT INTO notifications (id, user_id, message_type, lane, payload_sealed, content_hash, deliver_after, publish_after,
    expires_at)
SELECT gen_random_uuid(), 'user_' || lpad((number %% %(people)s)::text, 7, '0'), message_type, lane, payload_sealed,
    content_hash, %(due)s::timestamptz, %(due)s::timestamptz, now() + interval '3 days'
FROM (SELECT * FROM notifications LIMIT 1) one, generate_series(1, %(count)s) number
"""


def relay(stage: Stage) -> list[Figure]:
    fresh_database(stage, "bench", PEOPLE)
    stage.clear()
    accept_bulk("payment_reminder", REMINDER, 1, relay_after=3600)
    later = stage.sql("SELECT now() + interval '1 day'")[0][0]
    stage.sql(COPIES, people=PEOPLE, due=later, count=WAITING)
    stage.sql("VACUUM ANALYZE notifications")
    quiet = _ticks()
    stage.sql(COPIES, people=PEOPLE, due=stage.sql("SELECT now()")[0][0], count=DUE)
    stage.sql("VACUUM ANALYZE notifications")
    rate, cpu = _publish_all(stage)
    tick = percentile(quiet, 0.5)
    return [
        Figure(id="P6", what=f"relay, due rows published beside {WAITING:,} waiting", value=rate, unit="rows/s",
               target="≥ 20,000 rows/s", met=rate >= 20_000),
        Figure(id="P6", what="relay, CPU in our process", value=cpu, unit="µs/row"),
        Figure(id="P6", what=f"a quiet tick beside {WAITING:,} waiting rows, p50", value=tick * 1e3, unit="ms",
               target="< 20 ms", met=tick < 0.020),
    ]  # fmt: skip


def _ticks() -> list[float]:
    from tasks.relay import publish_due

    found = []
    for _ in range(TICKS):
        began = time.monotonic()
        publish_due.run()
        found.append(time.monotonic() - began)
    return found


def _publish_all(stage: Stage) -> tuple[float, float]:
    """The relay's own rate: what it publishes is thrown away at once, so that its back-pressure never holds it."""
    from tasks.relay import publish_due

    over = threading.Event()

    def throw_away() -> None:
        with closing(redis.Redis.from_url(stage.redis_url)) as broker:
            while not over.wait(0.005):
                broker.delete("sms_daily")

    thread = threading.Thread(target=throw_away)
    thread.start()
    try:
        began, cpu = time.monotonic(), time.thread_time()
        while stage.sql(
            "SELECT 1 FROM notifications WHERE state = 'accepted' AND publish_after <= now() LIMIT 1"
        ):
            publish_due.run()
        seconds, cpu = time.monotonic() - began, time.thread_time() - cpu
    finally:
        over.set()
        thread.join()
    return DUE / seconds, cpu / DUE * 1e6


# A log as years of sending leave it: settled notifications, their attempts and their events, spread over half a year.
HISTORY = """
INSERT INTO notifications (id, user_id, message_type, lane, state, payload_sealed, content_hash, deliver_after,
    publish_after, expires_at, fence, channel, provider, evidence, cost, created_at, updated_at, sent_at, final_at)
SELECT ids.n, 'user_' || lpad((number %% %(people)s)::text, 7, '0'), message_type, lane, 'delivered', payload_sealed,
    content_hash, at, at, at + interval '1 day', 1, channel, provider, evidence, cost, at, at, at, at
FROM (SELECT * FROM notifications WHERE state = 'sent' LIMIT 1) one,
    (SELECT number, uuidv7(at - now()) AS n, at FROM generate_series(1, %(count)s) number,
        LATERAL (SELECT now() - interval '178 days' + number * interval '170 days' / %(count)s AS at) instant) ids
"""
ATTEMPTS = """
INSERT INTO attempts (id, notification_id, fence, number, channel, provider, contact_point_id, key, template, opened_at,
    closed_at, outcome, reference, units, cost_estimate, resolved_by)
SELECT uuidv7(n.sent_at - now()), n.id, 1, 1, 'sms', 'twilio', one.contact_point_id, 'mingus-' || n.id, one.template, n.sent_at,
    n.sent_at, 'accepted', 'SM' || replace(n.id::text, '-', ''), 1, one.cost_estimate, 'answer'
FROM (SELECT * FROM attempts LIMIT 1) one, notifications n WHERE n.state = 'delivered'
"""
EVENTS = """
INSERT INTO delivery_events (id, at, notification_id, user_id, channel, provider, message_type, kind, price)
SELECT uuidv7(n.sent_at - now()), n.sent_at, n.id, n.user_id, 'sms', 'twilio', n.message_type, 'sent', 0.0079
FROM notifications n WHERE n.state = 'delivered'
"""


# Filling tables of millions of rows takes a tenth of the time when their other indexes are made afterwards.
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid IN ('notifications'::regclass, 'attempts'::regclass, 'delivery_events'::regclass) AND NOT indisunique
"""
FILLING = "SET session_replication_role = replica; SET maintenance_work_mem = '1GB'; "


def growth(stage: Stage) -> list[Figure]:
    small, large = (_copied(stage, _grown(stage, rows)) for rows in (SMALL_LOG, LOG_ROWS))
    seconds = {small: 0.0, large: 0.0}
    for _ in range(ROUNDS):  # by turns: a machine that is shared is not as quick in one minute as in the next
        for database in seconds:
            seconds[database] += _drained(stage, database, COMPARED // ROUNDS)
    rate = {database: COMPARED / spent for database, spent in seconds.items()}
    memory = _soak(stage, large, SOAK)
    share, flat = rate[large] / rate[small] * 100, memory.late_mb / memory.half_mb
    return [
        Figure(id="P7", what=f"throughput with {LOG_ROWS:,} rows in the log, of that with {SMALL_LOG:,}", value=share,
               unit="%", target="≥ 90 %", met=share >= 90),
        Figure(id="P7", what=f"bulk SMS with {SMALL_LOG:,} rows in the log", value=rate[small], unit="messages/s"),
        Figure(id="P7", what=f"bulk SMS with {LOG_ROWS:,} rows in the log", value=rate[large], unit="messages/s"),
        Figure(id="P7", what=f"memory of a worker after {SOAK // 10:,} messages", value=memory.early_mb, unit="MB"),
        Figure(id="P7", what=f"… after {SOAK // 2:,}", value=memory.half_mb, unit="MB"),
        Figure(id="P7", what=f"… after {SOAK:,}, of that after half of them", value=flat, unit="×",
               target="≤ 1.05 ×", met=flat <= 1.05),
    ]  # fmt: skip


def _grown(stage: Stage, rows: int) -> str:
    """The database with a log of so many rows, kept for the next run and never sent from."""
    database = f"log_{rows}_{schema_mark()}"
    if not stage.sql("SELECT 1 FROM pg_database WHERE datname = %s", database):
        fresh_database(stage, "growing", PEOPLE)
        stage.sink_reset(0)
        accept_bulk("payment_reminder", REMINDER, 10)
        with stage.workers(node("bulk", "sms_daily,housekeeping", "--pool solo")), heartbeats():
            bulk.await_messages(stage, 10)
            time.sleep(1)
        indexes = stage.sql(INDEXES)
        for name, _ in indexes:
            stage.sql(f"DROP INDEX {name}")
        for statement in (HISTORY, ATTEMPTS, EVENTS):
            stage.sql(FILLING + statement, people=PEOPLE, count=rows)
        for _, definition in indexes:
            stage.sql(FILLING + definition)
        stage.sql("VACUUM ANALYZE")
        stage.use_database("postgres")
        stage.sql(f"ALTER DATABASE growing RENAME TO {database}")
    return database


def _copied(stage: Stage, database: str) -> str:
    """A copy to send from: what a run before has sent to the same people would count as their last week."""
    copy = database.replace("log", "grown", 1)
    stage.use_database("postgres")
    stage.sql(f"DROP DATABASE IF EXISTS {copy} WITH (FORCE)")
    stage.sql(f"CREATE DATABASE {copy} TEMPLATE {database} STRATEGY FILE_COPY")
    return copy


@contextmanager
def _draining(stage: Stage, database: str, count: int) -> Iterator[psutil.Process]:
    """`count` messages accepted in the database, and the worker that sends them."""
    stage.use_database(database)
    with closing(redis.Redis.from_url(stage.redis_url)) as store:
        store.flushdb()
    stage.sql("CHECKPOINT")  # not after accepting: each page that changes is logged whole once after it
    accept_bulk("payment_reminder", REMINDER, count)
    stage.sink_reset(bulk.LATENCY_MS)
    with stage.workers(
        node("bulk", "sms_daily", "--pool solo"), node("housekeeping", "housekeeping", "--pool solo")
    ) as workers, heartbeats():  # fmt: skip
        yield psutil.Process(workers[0].process.pid)


def _drained(stage: Stage, database: str, count: int) -> float:
    """Seconds for `count` messages, after `WARM` others."""
    with _draining(stage, database, WARM + count):
        bulk.await_messages(stage, WARM)
        began = time.monotonic()
        bulk.await_messages(stage, WARM + count)
        return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class Soak:
    """The worker's memory after a tenth, after half and after all messages: at first its free lists fill, what still
    grows in the second half is a leak.
    """

    early_mb: float
    half_mb: float
    late_mb: float


def _soak(stage: Stage, database: str, count: int) -> Soak:
    with _draining(stage, database, count) as worker:

        def megabytes_after(messages: int) -> float:
            bulk.await_messages(stage, messages)
            return float(worker.memory_info().rss / 2**20)

        return Soak(megabytes_after(count // 10), megabytes_after(count // 2), megabytes_after(count))
