"""What the send times are learnt from: everybody's active hours of a channel, in their own local time."""

from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from analytics.load import read
from analytics.person_hours import EVENT_WEIGHTS, Counts, HourCounts, hour_counts, local_hours

REMEMBERED = timedelta(days=730)
"""Two half-lives: what is older weighs less than a quarter."""
DEFAULT_ZONE = "UTC"

PEOPLE = """
SELECT id AS user_id, time_zone FROM users
WHERE erased_at IS NULL AND id >= $1 AND ($2 = '' OR id < $2) ORDER BY id
"""
HOURS = """
SELECT user_id, at, CASE WHEN clicks > 0 THEN $4 ELSE $5 END::float8 AS weight FROM person_hours
WHERE user_id >= $1 AND ($2 = '' OR user_id < $2) AND channel = $3 AND at >= $6
"""
# People of the sample by the hash of their id: always the same ones, wherever they live and whenever they joined.
SAMPLED = """
WITH active AS (SELECT DISTINCT user_id FROM person_hours WHERE channel = $1 AND at >= $2 AND at < $3)
SELECT a.user_id, u.time_zone, count(*) OVER () AS active FROM active a JOIN users u ON u.id = a.user_id
WHERE u.erased_at IS NULL ORDER BY hashtext(a.user_id), a.user_id LIMIT $4
"""
SAMPLED_HOURS = f"""
WITH sampled AS ({SAMPLED})
SELECT h.user_id, h.at, CASE WHEN h.clicks > 0 THEN $5 ELSE $6 END::float8 AS weight
FROM sampled s JOIN person_hours h ON h.user_id = s.user_id WHERE h.channel = $1 AND h.at >= $2 AND h.at < $3
"""  # noqa: S608  two constants
# The learnt choices only: what was sent at a time drawn with a known probability, and whether it was answered.
CHOICES = """
SELECT c.user_id, c.propensity, c.took_model, c.took_default, c.arm,
    EXISTS (SELECT FROM delivery_events e WHERE e.notification_id = n.id AND e.kind IN ('opened', 'clicked')
            AND NOT e.is_machine) AS engaged
FROM send_choices c JOIN notifications n ON n.idempotency_key = c.key
WHERE c.channel = $1 AND c.chosen_at >= $2 AND c.deliver_after < $3 AND n.sent_at IS NOT NULL
"""


def counts(connection: Any, shard: tuple[str, str], channel: str, *, now: datetime) -> HourCounts:
    """The decayed activity of a shard's people on one channel; people without any have zeros, without a zone UTC."""
    people = read(connection, PEOPLE, shard)
    weights = (EVENT_WEIGHTS["clicked"], EVENT_WEIGHTS["opened"])
    hours = read(connection, HOURS, (*shard, channel, *weights, now - REMEMBERED))
    local = local_hours(hours, people, default_zone=DEFAULT_ZONE)
    return hour_counts(local, now=now).of(pd.Index(people["user_id"]))


def sample(connection: Any, channel: str, size: int, *, now: datetime) -> tuple[Counts, int]:
    """The decayed activity (n × 24) of at most `size` active people of a channel, and how many are active at all."""
    asked = (channel, now - REMEMBERED, now, size)
    people = read(connection, SAMPLED, asked)
    weights = (EVENT_WEIGHTS["clicked"], EVENT_WEIGHTS["opened"])
    local = local_hours(
        read(connection, SAMPLED_HOURS, (*asked, *weights)), people, default_zone=DEFAULT_ZONE
    )
    return hour_counts(local, now=now).counts, int(people["active"].max()) if len(people) else 0


def choices(connection: Any, channel: str, *, since: datetime, until: datetime) -> pd.DataFrame:
    """(user_id, propensity, took_model, took_default, arm, engaged) of sends chosen since and due before `until`."""
    return read(connection, CHOICES, (channel, since, until))
