"""The months of the delivery events: made before they are needed, dropped when they are too old."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from core.statements import execute, rows

MONTHS_AHEAD = 3
_MONTH = re.compile(r"delivery_events_(\d{4})(\d{2})")

PARTITIONS = """
SELECT c.relname, pg_total_relation_size(c.oid), greatest(c.reltuples, 0)::bigint
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'delivery_events'::regclass ORDER BY c.relname
"""
CAUGHT = """
SELECT DISTINCT date_trunc('month', at, 'UTC') FROM delivery_events_default WHERE at >= %s AND at < %s ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Partition:
    """One month of events; `month` is None for the default partition, which catches what nobody foresaw."""

    name: str
    month: datetime | None
    bytes: int
    rows: int


def partitions(connection: Connection) -> list[Partition]:
    """All partitions, oldest first; `rows` is the planner's estimate."""
    return [
        Partition(name, _month(name), int(size), int(count))
        for name, size, count in rows(connection, PARTITIONS)
    ]


def make_months(connection: Connection, *, now: datetime) -> int:
    """Makes the partitions of this month and the three to come; how many were missing.

    What the default partition has caught of them moves in, with its transaction ids: for the rollups nothing happened.
    """
    caught = rows(connection, CAUGHT, (_months_before(now, 0), _months_before(now, -MONTHS_AHEAD - 1)))
    for (month,) in caught:
        _move_in(connection, month)
    [(made,)] = rows(connection, "SELECT ensure_event_partitions(%s, %s)", (now.date(), MONTHS_AHEAD + 1))
    return len(caught) + int(made)


def _move_in(connection: Connection, month: datetime) -> None:
    name, span = f"delivery_events_{month:%Y%m}", (month, _months_before(month, -1))
    execute(connection, f"CREATE TABLE {name} (LIKE delivery_events INCLUDING ALL)")
    execute(
        connection,
        "WITH moved AS (DELETE FROM delivery_events_default WHERE at >= %s AND at < %s RETURNING *)"  # noqa: S608
        f" INSERT INTO {name} SELECT * FROM moved",
        span,
    )
    execute(
        connection, f"ALTER TABLE delivery_events ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)", span
    )


def drop_months(connection: Connection, *, keep_months: int, now: datetime) -> list[Partition]:
    """Drops every month that ended `keep_months` months ago or earlier; gives up after 5 s behind a long reader."""
    oldest = _months_before(now, keep_months)
    old = [each for each in partitions(connection) if each.month is not None and each.month < oldest]
    execute(connection, "SET LOCAL lock_timeout = '5s'")
    for each in old:
        execute(connection, f"DROP TABLE {each.name}")
    return old


def stray_rows(connection: Connection) -> int:
    """Events in the default partition: their month was missing, or their clock is far off."""
    [(count,)] = rows(connection, "SELECT count(*) FROM delivery_events_default")
    return int(count)


def _month(name: str) -> datetime | None:
    found = _MONTH.fullmatch(name)
    return datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC) if found else None


def _months_before(now: datetime, months: int) -> datetime:
    count = now.year * 12 + now.month - 1 - months
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)
