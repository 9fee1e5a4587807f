"""The weekly frequency caps that people's behaviour teaches: learnt once a week, per person and channel.

They advise. What a person has said (their preferences) stands above them, and critical messages know no cap.
"""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection

from analytics.bulk import stage
from analytics.fatigue import next_caps
from core.statements import execute, rows

FIRST_CAP = 7.0
"""Messages per week with which everybody begins."""

# What a person wants at most of a channel is the sum of what they want of its categories, if they named any.
WEEK = """
SELECT d.user_id, d.channel, coalesce(c.weekly_cap, %s)::float8, sum(d.engaged) > 0, sum(d.negative) > 0,
    coalesce(bool_or(s.is_tired), false), max(p.ceiling)::float8
FROM user_days d JOIN users u ON u.id = d.user_id
LEFT JOIN frequency_caps c ON c.user_id = d.user_id AND c.channel = d.channel
LEFT JOIN engagement_scores s ON s.user_id = d.user_id
LEFT JOIN (SELECT user_id, channel, sum(weekly_cap) AS ceiling FROM preferences WHERE weekly_cap IS NOT NULL GROUP BY 1, 2) p
    ON p.user_id = d.user_id AND p.channel = d.channel
WHERE d.day >= %s AND d.day < %s GROUP BY d.user_id, d.channel, c.weekly_cap
"""
KEEP = """
INSERT INTO frequency_caps (user_id, channel, weekly_cap, week) SELECT user_id, channel, weekly_cap, week FROM staged_caps
ON CONFLICT (user_id, channel) DO UPDATE SET weekly_cap = EXCLUDED.weekly_cap, week = EXCLUDED.week
"""


def learn_caps(connection: Connection, *, now: datetime) -> int:
    """Caps for the week that has begun, from the one that ended on Monday 0:00 UTC; 0 when that was done already."""
    monday = (now - timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    if rows(connection, "SELECT FROM frequency_caps WHERE week >= %s LIMIT 1", (monday,)):
        return 0
    found = rows(connection, WEEK, (FIRST_CAP, monday - timedelta(days=7), monday))
    if not found:
        return 0
    frame = pd.DataFrame(
        found, columns=["user_id", "channel", "cap", "engaged", "negative", "tired", "ceiling"]
    )
    learnt = next_caps(
        frame["cap"], engaged=frame["engaged"], negative=frame["negative"], tired=frame["tired"],
        ceilings=frame["ceiling"].astype(float).fillna(np.inf),
    )  # fmt: skip
    table = pa.table(
        {
            "user_id": frame["user_id"], "channel": frame["channel"], "weekly_cap": learnt,
            "week": pa.array([monday] * len(frame), pa.timestamp("us", "UTC")),
        }
    )  # fmt: skip
    stage(connection, "staged_caps", "user_id text, channel text, weekly_cap float8, week timestamptz", table)
    return execute(connection, KEEP)
