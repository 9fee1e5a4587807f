"""Writes a past by COPY, day by day, so that the rows of a time stand together on disk."""

import io
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg2
import pyarrow as pa
from pyarrow import csv

from analytics.history import tables
from analytics.history.day import HAPPENINGS, NEVER, Day, live
from analytics.history.people import People, invent_people, people_of
from analytics.history.scenario import WEEKLY, incidents
from analytics.history.tables import Payload
from core.clock import as_utc
from core.errors import InvalidRequest

PEOPLE = """
SELECT u.id, u.time_zone, coalesce(jsonb_object_agg(c.channel, jsonb_build_array(c.id, c.domain))
           FILTER (WHERE c.id IS NOT NULL), '{}')
FROM users u LEFT JOIN contact_points c ON c.user_id = u.id AND c.is_primary
WHERE u.erased_at IS NULL GROUP BY u.id, u.time_zone ORDER BY u.id
"""
EVENTS_PER_NOTIFICATION = 2.33


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows of each table were written, and how long it took."""

    notifications: int
    attempts: int
    events: int
    seconds: float


def write_history(
    connection_url: str, *, days: int, until: datetime, seed: int, payload: Payload, per_week: float = WEEKLY
) -> Written:
    """Writes what `days` days before `until` brought to everybody in the database, in one transaction.

    `per_week` is notifications per person and week; `payload` makes each one's sealed content. Same seed and people,
    same past (but for ids). InvalidRequest when there is nobody, or for a span that is none.
    """
    rng = np.random.default_rng(seed)
    started = time.monotonic()
    counts = [0, 0, 0]
    told_by = _micros(until) - 1
    with (
        closing(psycopg2.connect(_plain(connection_url))) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(PEOPLE)
        people = people_of(cursor.fetchall(), rng)
        if len(people) == 0:
            raise InvalidRequest(
                "users", "there is nobody in the database: a past needs people, add them first"
            )
        make_partitions(cursor, days, until)
        for day in past_days(people, days=days, until=until, per_week=per_week, rng=rng):
            notification_ids = tables.ids(day.notifications["created"].to_numpy())
            attempt_ids = tables.ids(day.tries["sent"].to_numpy())
            for number, (name, table) in enumerate(
                {
                    "notifications": tables.notifications(day, people, notification_ids, payload),
                    "attempts": tables.attempts(day, people, notification_ids, attempt_ids),
                    "delivery_events": tables.events(
                        day, people, notification_ids, attempt_ids, told_by=told_by
                    ),
                }.items()
            ):
                copy(cursor, name, table)
                counts[number] += len(table)
    return Written(counts[0], counts[1], counts[2], time.monotonic() - started)


def write_events(
    connection_url: str, *, events: int, days: int, until: datetime, seed: int, people: People | None = None
) -> Written:
    """Writes about `events` delivery events of invented people and nothing else: what a bench needs, day by day."""
    rng = np.random.default_rng(seed)
    started = time.monotonic()
    weeks = days / 7
    if people is None:
        people = invent_people(max(1, round(events / EVENTS_PER_NOTIFICATION / WEEKLY / weeks)), seed=seed)
    per_week = events / EVENTS_PER_NOTIFICATION / len(people) / weeks
    written = 0
    told_by = _micros(until) - 1

    def write(table: pa.Table) -> int:
        copy(cursor, "delivery_events", table)
        connection.commit()
        return len(table)

    with (
        closing(psycopg2.connect(_plain(connection_url))) as connection,
        connection.cursor() as cursor,
        ThreadPoolExecutor(1) as writer,  # the next day is lived while the last one is written
    ):
        make_partitions(cursor, days, until)
        under_way: Future[int] | None = None
        for day in past_days(people, days=days, until=until, per_week=per_week, rng=rng):
            notification_ids = tables.ids(day.notifications["created"].to_numpy())
            table = tables.events(day, people, notification_ids, None, told_by=told_by)
            written += under_way.result() if under_way else 0
            under_way = writer.submit(write, table)
        written += under_way.result() if under_way else 0
    return Written(0, 0, written, time.monotonic() - started)


def past_days(
    people: People, *, days: int, until: datetime, per_week: float, rng: np.random.Generator
) -> Iterator[Day]:
    """The days before `until`, oldest first; what was planned for after `until` is left out."""
    if days < 1:
        raise InvalidRequest("days", f"must be 1 or more, not {days}")
    last = as_utc(until)
    midnight = datetime(last.year, last.month, last.day, tzinfo=UTC)
    since = midnight - timedelta(days=days - 1)
    bad_times = incidents(since, last, rng)
    for number in range(days):
        day = live(since + timedelta(days=number), people, per_week=per_week, bad_times=bad_times, rng=rng)
        if number >= days - 2:  # answers may come a day after their send
            day = _before(day, until=_micros(last))
        if len(day.tries):
            yield day


def make_partitions(cursor: Any, days: int, until: datetime) -> None:
    """The months of delivery events that the past touches."""
    months = days // 28 + 3
    first = (as_utc(until) - timedelta(days=days + 1)).date()
    cursor.execute("SELECT ensure_event_partitions(%s, %s)", (first, months))


def copy(cursor: Any, name: str, table: pa.Table) -> None:
    """COPY an Arrow table into the columns of the same names; an empty text is a text, a null is a null."""
    text = io.BytesIO()
    csv.write_csv(table, text, csv.WriteOptions(include_header=False, quoting_style="needed"))
    text.seek(0)
    columns = ", ".join(table.column_names)
    cursor.copy_expert(f"COPY {name} ({columns}) FROM STDIN (FORMAT csv)", text)


def _before(day: Day, *, until: int) -> Day:
    """The day as far as it is known at `until` (µs): later sends are left out, later answers have not happened."""
    kept = day.notifications["planned"].to_numpy() < until
    new = np.cumsum(kept) - 1
    notifications = day.notifications[kept].reset_index(drop=True)
    tries = day.tries[
        kept[day.tries["number"].to_numpy()] & (day.tries["sent"] < until).to_numpy()
    ].reset_index(drop=True)
    for name in HAPPENINGS:
        tries[name] = np.where(tries[name] < until, tries[name], NEVER)
    return Day(
        notifications.assign(number=np.arange(len(notifications))),
        tries.assign(number=new[tries["number"].to_numpy()]),
    )


def _micros(at: datetime) -> int:
    return int(as_utc(at).timestamp() * 1_000_000)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg2://", "postgresql://", 1)
