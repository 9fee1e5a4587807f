"""Reading by ADBC: Arrow columns straight into pandas, a tenth of the time and memory of a row driver.

SQL reduces, pandas decides: a query here returns what a statistic needs, never the raw history.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from analytics.frames import ANALYSED_EVENTS
from analytics.rates import MATURE
from core.settings import settings

EVENTS_OF_TRIES = """
SELECT e.notification_id::text AS notification_id, coalesce(e.user_id, '') AS user_id, e.channel, e.provider,
       e.message_type, e.kind AS event, e.at, e.is_machine, nullif(e.domain, '') AS domain_or_carrier,
       nullif(e.code, '') AS error_code, e.price::float8 AS price
FROM delivery_events e
WHERE e.kind = ANY($3)
  AND e.notification_id IN (
      SELECT notification_id FROM delivery_events WHERE kind = 'sent' AND at >= $1 AND at < $2)
"""
# A group of tries is mature when the youngest of them has had its ten minutes ($3): until then what is pending
# counts neither as delivered nor as failed.
TRY_COUNTS = """
SELECT channel, provider, message_type, sum(sent)::bigint AS sent, sum(delivered)::bigint AS delivered,
       sum(CASE WHEN slot <= $3 THEN sent ELSE ended END)::bigint AS settled,
       sum(CASE WHEN slot <= $3 THEN sent ELSE 0 END)::bigint AS matured,
       sum(CASE WHEN slot <= $3 THEN timely ELSE 0 END)::bigint AS timely,
       sum(bounced_hard)::bigint AS bounced_hard, sum(tracked)::bigint AS tracked, sum(opened)::bigint AS opened,
       sum(opened_by_machine)::bigint AS opened_by_machine, sum(opened_at_all)::bigint AS opened_at_all,
       sum(clicked)::bigint AS clicked, sum(unsubscribed)::bigint AS unsubscribed, sum(complained)::bigint AS complained,
       sum(micros)::float8 / 1e6 AS cost
FROM try_slots WHERE slot >= $1 AND slot < $2 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
DOMAIN_COUNTS = """
SELECT channel, nullif(domain, '') AS domain_or_carrier, sum(sent)::bigint AS sent, sum(delivered)::bigint AS delivered,
       sum(CASE WHEN hour <= $3 THEN sent ELSE ended END)::bigint AS settled,
       sum(CASE WHEN hour <= $3 THEN sent ELSE 0 END)::bigint AS matured,
       sum(CASE WHEN hour <= $3 THEN timely ELSE 0 END)::bigint AS timely,
       sum(bounced_hard)::bigint AS bounced_hard, sum(tracked)::bigint AS tracked, sum(opened)::bigint AS opened,
       sum(opened_by_machine)::bigint AS opened_by_machine, sum(opened_at_all)::bigint AS opened_at_all,
       sum(clicked)::bigint AS clicked, sum(unsubscribed)::bigint AS unsubscribed, sum(complained)::bigint AS complained,
       sum(micros)::float8 / 1e6 AS cost
FROM try_domains WHERE hour >= $1 AND hour < $2 GROUP BY 1, 2 ORDER BY sum(sent) DESC LIMIT $4
"""
LATENCIES = """
SELECT channel, provider, message_type, bucket::bigint AS bucket, sum(tries)::bigint AS count
FROM latency_hours WHERE hour >= $1 AND hour < $2 GROUP BY 1, 2, 3, 4
"""
STREAMS = """
SELECT channel, provider, slot AS at, sum(timely)::bigint AS hits, sum(sent)::bigint AS total
FROM try_slots WHERE slot >= $1 AND slot < $2 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
QUEUE_HISTORY = "SELECT at, lane, due + claimed AS depth FROM queue_samples WHERE at >= $1 ORDER BY at"
HOUR = timedelta(hours=1)
SLOT = timedelta(minutes=5)
TOP_DOMAINS = 30


@contextmanager
def reader(url: str | None = None) -> Iterator[Any]:
    """An ADBC connection in one read-only snapshot (REPEATABLE READ), so that all queries of a report agree."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(_plain(url or settings().database_url.get_secret_value())) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SET LOCAL TIME ZONE 'UTC'")
        yield connection


def read(connection: Any, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
    """The rows of one query ($1 … in the order of `parameters`); an empty result has its columns and their types too.

    Text stays in Arrow (pandas' `str`), instants are datetime64[us, UTC]. Cast numerics to float8 or text in the
    query: Arrow has no such type.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, tuple(parameters)) if parameters else cursor.execute(sql)
        frame: pd.DataFrame = cursor.fetch_arrow_table().to_pandas(split_blocks=True, self_destruct=True)
    return frame


def events_of_tries(connection: Any, start: datetime, end: datetime) -> pd.DataFrame:
    """`frames.EVENTS` with `price` (USD): everything known so far about the tries sent in [start, end)."""
    return read(connection, EVENTS_OF_TRIES, (start, end, sorted(ANALYSED_EVENTS)))


def try_counts(connection: Any, start: datetime, end: datetime, *, now: datetime) -> pd.DataFrame:
    """`rates.COUNTS` with `cost` (USD) by channel, provider and message type: the tries sent in [start, end).

    Both ends at whole five minutes: that is how finely the rollup counts.
    """
    return read(connection, TRY_COUNTS, (start, end, now - MATURE - SLOT))


def domain_counts(connection: Any, start: datetime, end: datetime, *, now: datetime) -> pd.DataFrame:
    """The same by channel and mail domain or carrier, for the whole hours that [start, end) touches; the largest 30."""
    return read(connection, DOMAIN_COUNTS, (_hour(start), end, now - MATURE - HOUR, TOP_DOMAINS))


def latencies(connection: Any, start: datetime, end: datetime) -> pd.DataFrame:
    """The histogram (channel, provider, message_type, bucket, count) of the whole hours that [start, end) touches."""
    return read(connection, LATENCIES, (_hour(start), end))


def streams(connection: Any, start: datetime, *, now: datetime) -> pd.DataFrame:
    """`alarms.WINDOWS` by channel and provider: every mature five minutes since `start`."""
    return read(connection, STREAMS, (start, now - MATURE - SLOT))


def queue_history(connection: Any, start: datetime) -> pd.DataFrame:
    """The performance history (at, lane, depth) since `start`."""
    return read(connection, QUEUE_HISTORY, (start,))


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg2://", "postgresql://", 1)
