"""Incremental rollups that miss nothing and count nothing twice, whatever commits late and arrives out of order.

Events carry the id of the transaction that wrote them. A run takes those of all transactions that ended since the last
one: lo <= ins_xid < hi, where hi is the oldest transaction still running. Timestamps and ids would lose the rows of a
transaction that commits late. A late webhook belongs to an old try: for each try with new events, what it counted
before (its events below lo) is taken back and what it counts now (its events below hi) is added, in one transaction
with the watermark. Events are append-only, so the past can always be told from them.

Transaction ids don't survive a dump and restore: run `rebuild` after one.
"""

import logging
from dataclasses import dataclass

from sqlalchemy import Connection

from analytics import rollup_statements as sql
from core.database import transaction
from core.statements import execute, rows

log = logging.getLogger(__name__)

NAME = "delivery_events"
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('mingus.rollups'))"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What one run did: from which transaction id to which, and how many tries it counted (again)."""

    lo: int
    hi: int
    tries: int


def refresh() -> Refreshed:
    """Brings all rollups up to the newest finished transactions; the first run builds them. Runs wait for each other."""
    with transaction() as connection:
        lo, hi = _span(connection)
        if lo == 0:
            return _rebuild(connection, hi)
        return _advance(connection, lo, hi)


def rebuild() -> Refreshed:
    """Builds all rollups anew from all events that are there; readers wait while the last part is written."""
    with transaction() as connection:
        _, hi = _span(connection)
        return _rebuild(connection, hi)


def lag_seconds(connection: Connection) -> float:
    """The age of the oldest event that the rollups don't hold yet; 0 when they hold all, or were never built.

    It grows without end when a transaction somewhere never ends: alarm on it.
    """
    found = rows(
        connection,
        "SELECT coalesce(extract(epoch FROM now() - min(e.recorded_at)), 0)::float8 FROM rollup_state s"
        " JOIN delivery_events e ON e.ins_xid >= s.upto WHERE s.name = %s",
        (NAME,),
    )
    return float(found[0][0])


def _span(connection: Connection) -> tuple[int, int]:
    execute(connection, _LOCK)
    execute(connection, "SET LOCAL statement_timeout = 0")
    execute(connection, "SET LOCAL work_mem = '192MB'")
    [(lo,)] = rows(
        connection, "SELECT coalesce((SELECT upto::text FROM rollup_state WHERE name = %s), '0')", (NAME,)
    )
    [(hi,)] = rows(connection, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
    return int(lo), int(hi)


def _rebuild(connection: Connection, hi: int) -> Refreshed:
    span = {"lo": "0", "hi": str(hi)}
    execute(connection, sql.ALL_EVENTS, span)
    tries = execute(connection, sql.ALL_TRIES, {"sign": 1})
    execute(connection, sql.EMPTY)
    for rollup in sql.OF_TRIES:
        execute(connection, rollup.build())
        execute(connection, rollup.insert())
    for rollup in sql.OF_EVENTS:
        execute(connection, rollup.build(), span)
        execute(connection, rollup.insert())
    execute(connection, "DROP TABLE rollup_tries; DROP VIEW rollup_source")
    return _done(connection, Refreshed(0, hi, tries))


def _advance(connection: Connection, lo: int, hi: int) -> Refreshed:
    span = {"lo": str(lo), "hi": str(hi)}
    if not rows(connection, sql.EVENTS_ARE_NEW, span):
        return _done(connection, Refreshed(lo, hi, 0))
    execute(connection, sql.CHANGED_TRIES, span)
    execute(connection, sql.EVENTS_OF_CHANGED_TRIES, span)
    tries = execute(connection, sql.TRIES, {"sign": 1})
    execute(connection, sql.TRIES_BEFORE, {"sign": -1})
    execute(connection, "ANALYZE rollup_tries")
    for rollup in sql.OF_TRIES:
        execute(connection, rollup.merge())
    for rollup in sql.OF_EVENTS:
        execute(connection, rollup.merge(), span)
    return _done(connection, Refreshed(lo, hi, tries))


def _done(connection: Connection, done: Refreshed) -> Refreshed:
    execute(
        connection,
        "INSERT INTO rollup_state (name, upto) VALUES (%s, %s::text::xid8)"
        " ON CONFLICT (name) DO UPDATE SET upto = EXCLUDED.upto, refreshed_at = now()",
        (NAME, str(done.hi)),
    )
    log.info("rollups_refreshed", extra={"tries": done.tries, "upto": done.hi})
    return done
