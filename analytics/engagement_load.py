"""What the engagement analysis reads: people and their days in shards, a sample to learn from, and counts by hour."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from analytics.load import read

SHARD = 50_000
REMEMBERED = timedelta(days=365)

# Shards are ranges of the primary key, so that each is one index scan; the sample is by hash, so that it is one.
BOUNDS = """
SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM users WHERE erased_at IS NULL) AS people
WHERE (number - 1) % $1 = 0 ORDER BY id
"""
PEOPLE = """
SELECT u.id AS user_id, u.joined_at, coalesce(s.tier, '') AS tier FROM users u
LEFT JOIN engagement_scores s ON s.user_id = u.id
WHERE u.erased_at IS NULL AND u.id >= $1 AND ($2 = '' OR u.id < $2) ORDER BY u.id
"""
USER_DAYS = """
SELECT user_id, channel, day, sent::bigint AS sent, engaged::bigint AS engaged, negative::bigint AS negative
FROM user_days WHERE user_id >= $1 AND ($2 = '' OR user_id < $2) AND day >= $3
"""
SAMPLED_PEOPLE = """
SELECT id AS user_id, joined_at, '' AS tier FROM users
WHERE erased_at IS NULL ORDER BY hashtext(id) LIMIT $1
"""
SAMPLED_DAYS = """
SELECT d.user_id, d.channel, d.day, d.sent::bigint AS sent, d.engaged::bigint AS engaged, d.negative::bigint AS negative
FROM (SELECT id FROM users WHERE erased_at IS NULL ORDER BY hashtext(id) LIMIT $1) AS u
JOIN user_days d ON d.user_id = u.id WHERE d.day >= $2
"""
# Counted by the hour of the send, in the person's own zone: by its own hour engagement only follows our habits.
SEND_HOURS = """
WITH tries AS (
    SELECT e.notification_id, e.channel, min(e.at) FILTER (WHERE e.kind = 'sent') AS sent_at, max(e.user_id) AS user_id,
        bool_or(e.kind IN ('opened', 'clicked') AND NOT e.is_machine) AS engaged
    FROM delivery_events e WHERE e.at >= $1 AND e.at < $2 AND e.kind IN ('sent', 'opened', 'clicked')
    GROUP BY e.notification_id, e.channel
), placed AS (
    SELECT t.channel, t.engaged, t.sent_at AT TIME ZONE coalesce(u.time_zone, 'UTC') AS local
    FROM tries t JOIN users u ON u.id = t.user_id WHERE t.sent_at IS NOT NULL
)
SELECT channel, extract(isodow FROM local)::bigint - 1 AS weekday, extract(hour FROM local)::bigint AS hour,
    count(*) AS sent, count(*) FILTER (WHERE engaged) AS engaged
FROM placed GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
FUNNEL = """
SELECT channel, sum(sent)::bigint AS sent, sum(delivered)::bigint AS delivered, sum(opened)::bigint AS opened,
    sum(clicked)::bigint AS clicked, sum(opened_by_machine)::bigint AS opened_by_machine,
    sum(opened_at_all)::bigint AS opened_at_all, sum(unsubscribed)::bigint AS unsubscribed
FROM try_slots WHERE slot >= $1 AND slot < $2 GROUP BY 1 ORDER BY 1
"""


def shards(connection: Any, size: int = SHARD) -> Iterator[tuple[str, str]]:
    """(first user id, first id of the next shard or "" for the last): ranges of about `size` people."""
    bounds = [str(each) for each in read(connection, BOUNDS, (size,))["id"]]
    if bounds:
        yield from zip(bounds, [*bounds[1:], ""], strict=True)


def people(connection: Any, shard: tuple[str, str]) -> pd.DataFrame:
    """(user_id, joined_at, tier) of a shard; `tier` is the one before, empty for newcomers."""
    return read(connection, PEOPLE, shard)


def user_days(connection: Any, shard: tuple[str, str], *, now: datetime) -> pd.DataFrame:
    """`frames.USER_DAYS` of a shard's last year."""
    return read(connection, USER_DAYS, (*shard, now - REMEMBERED))


def sample(connection: Any, size: int, *, now: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(user days, people) of `size` people by the hash of their id: always the same ones."""
    days = read(connection, SAMPLED_DAYS, (size, now - REMEMBERED))
    return days, read(connection, SAMPLED_PEOPLE, (size,))


def send_hours(connection: Any, start: datetime, end: datetime) -> pd.DataFrame:
    """(channel, weekday, hour, sent, engaged) by the local hour of the send, of what was sent in [start, end)."""
    return read(connection, SEND_HOURS, (start, end))


def funnel_counts(connection: Any, start: datetime, end: datetime) -> pd.DataFrame:
    """What `patterns.funnel` takes, by channel, with machine opens and goodbyes beside it."""
    return read(connection, FUNNEL, (start, end))
