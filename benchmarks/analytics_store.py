"""The store at ten million events: delivery rates after an incremental run, and all rollups built anew, against naive.

Naive is what one would write first: `pd.read_sql` through SQLAlchemy and psycopg2, groupby, and for the rollups
`to_sql`, because ours are written down too (what reading and grouping alone took is told beside it). Each measurement is
a process of its own; its memory is its peak resident size, and for ours the peak of its Postgres backends beside it.

    python -m benchmarks.analytics_store build URL EVENTS      make the events (once)
    python -m benchmarks.analytics_store rates|rebuild|naive URL …
"""

import argparse
import json
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil

DAYS = 60
UNTIL = datetime(2026, 11, 2, 12, tzinfo=UTC)
SEED = 1
FRESH = timedelta(minutes=30)
"""What an incremental run finds new: the events of half an hour, written after the rollups were built."""


def build(url: str, events: int) -> dict[str, Any]:
    """About `events` events of sixty days; those of the last half hour are put aside until `arrive`."""
    import psycopg2

    from analytics.history import write_events

    written = write_events(url, events=events, days=DAYS, until=UNTIL, seed=SEED)
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE late_events (LIKE delivery_events INCLUDING DEFAULTS);"
            "INSERT INTO late_events SELECT * FROM delivery_events WHERE at >= %s;"
            "DELETE FROM delivery_events WHERE at >= %s",
            (UNTIL - FRESH, UNTIL - FRESH),
        )
    connection.close()
    connection = psycopg2.connect(url)
    connection.autocommit = True
    connection.cursor().execute("VACUUM ANALYZE delivery_events")
    connection.close()
    return {"events": written.events, "seconds": round(written.seconds, 1)}


def arrive(url: str) -> int:
    """Writes the events that were put aside, as one late transaction; how many."""
    import psycopg2

    columns = (
        "id, at, notification_id, user_id, channel, provider, message_type, kind, code, error_class, domain, is_machine,"
        " price, recorded_at"
    )
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO delivery_events ({columns}) SELECT {columns} FROM late_events")
        count = cursor.rowcount
    connection.close()
    return int(count)


def rates(_url: str) -> dict[str, Any]:
    """What track-delivery-rates does: follow the new events, measure 24 hours, judge 28 days, keep."""
    import adbc_driver_postgresql.dbapi  # noqa: F401  imports are a process's, not a run's

    from analytics import load, rollups
    from analytics.delivery_figures import all_figures
    from analytics.delivery_watch import JUDGED, LEARNT_FROM, watch
    from analytics.store import replace_delivery_rates

    def run() -> dict[str, Any]:
        refreshed = rollups.refresh()
        start = UNTIL - timedelta(days=1)
        with load.reader() as connection:
            figures = all_figures(
                load.try_counts(connection, start, UNTIL, now=UNTIL),
                load.domain_counts(connection, start, UNTIL, now=UNTIL),
                load.latencies(connection, start, UNTIL),
            )
            watches = watch(load.streams(connection, UNTIL - LEARNT_FROM - JUDGED, now=UNTIL), now=UNTIL)
        replace_delivery_rates(start, UNTIL, figures)
        whole = next(each.values["counts"]["sent"] for each in figures if each.grouping == "all")
        return {"tries": refreshed.tries, "sent": whole, "streams": len(watches)}

    return measured(run)


def naive_rates(url: str) -> dict[str, Any]:
    """The same 24 hours' delivery rate from the raw events."""

    def run() -> dict[str, Any]:
        tries = naive_tries(naive_read(url, UNTIL - timedelta(days=1), UNTIL))
        grouped = tries.groupby(["channel", "provider", "message_type"])[["sent", "delivered"]].count()
        return {"sent": int(grouped["sent"].sum())}

    return measured(run)


def rebuild(_url: str) -> dict[str, Any]:
    """All rollups from all events."""
    from analytics import rollups

    return measured(lambda: {"tries": rollups.rebuild().tries})


def naive_rebuild(url: str, days: int) -> dict[str, Any]:
    """Five-minute counts, user days and latencies of the last `days` days from the raw events, written to tables.

    `unwritten` is the time without the writing.
    """
    from sqlalchemy import create_engine

    def run() -> dict[str, Any]:
        started = time.perf_counter()
        events = naive_read(url, UNTIL - timedelta(days=days), UNTIL)
        count = len(events)
        tries = naive_tries(events)
        names = ["sent", "delivered", "opened", "clicked", "bounced_hard", "unsubscribed", "complained"]
        names = [name for name in names if name in tries]
        slots = tries.assign(slot=tries["sent"].dt.floor("5min"))
        hours = slots.assign(hour=tries["sent"].dt.floor("h"))
        user_days = tries.assign(day=tries["sent"].dt.floor("D"))
        took = (tries["delivered"] - tries["sent"]).dt.total_seconds()
        found = {
            "slots": slots.groupby(["slot", "channel", "provider", "message_type"])[names].count(),
            "domains": hours.groupby(["hour", "channel", "provider", "domain"])[names].count(),
            "user_days": user_days.groupby(["user_id", "channel", "day"])[names].count(),
            "latency": took.groupby([tries["channel"], hours["hour"]])
            .quantile([0.5, 0.95, 0.99])
            .rename("seconds"),
        }
        unwritten = time.perf_counter() - started
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
        for name, frame in found.items():
            frame.reset_index().to_sql(f"naive_{name}", engine, if_exists="replace", index=False)
        return {"events": count, "unwritten": round(unwritten, 2)}

    return measured(run)


def naive_read(url: str, start: datetime, end: datetime) -> Any:
    """All events of [start, end) by the row driver."""
    import pandas as pd
    from sqlalchemy import create_engine

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    return pd.read_sql(
        "SELECT notification_id, channel, provider, message_type, user_id, domain, kind, at, is_machine, price"
        " FROM delivery_events WHERE at >= %(start)s AND at < %(end)s",
        engine,
        params={"start": start, "end": end},
    )


def naive_tries(events: Any) -> Any:
    """One row per try with the first time of each kind."""
    keys = ["notification_id", "channel", "provider", "message_type", "user_id", "domain"]
    events["notification_id"] = events["notification_id"].astype(str)
    return events.pivot_table(index=keys, columns="kind", values="at", aggfunc="min").reset_index()


def measured(run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """`run` once: seconds, peak MB of this process, and peak MB of the private memory of Postgres' backends."""
    with backends() as peak:
        started = time.perf_counter()
        found = run()
        seconds = time.perf_counter() - started
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": round(seconds, 2), "peak_mb": round(own), "backends_mb": round(peak[0] / 1e6), **found}


@contextmanager
def backends() -> Iterator[list[float]]:
    """Watches the anonymous memory of all client backends and parallel workers; the peak of their sum, in bytes."""
    peak, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            total = 0
            for process in psutil.process_iter(["name", "cmdline"]):
                if process.info["name"] == "postgres" and "[local]" not in str(process.info["cmdline"]):
                    try:
                        memory = process.memory_info()
                        total += memory.rss - memory.shared
                    except psutil.Error:
                        continue
            peak[0] = max(peak[0], total)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    yield peak
    over.set()
    watcher.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what", choices=["build", "arrive", "rates", "rebuild", "naive_rates", "naive_rebuild"]
    )
    parser.add_argument("url")
    parser.add_argument("size", type=int, nargs="?", help="events to build, or days that naive reads")
    asked = parser.parse_args()
    sized = () if asked.size is None else (asked.size,)
    print(json.dumps(globals()[asked.what](asked.url, *sized)))


if __name__ == "__main__":
    main()
