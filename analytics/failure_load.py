"""The failures of a window as frames: what was refused or never arrived, and how it compares with the week before."""

from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from analytics.failures import normalise
from analytics.load import read

BASELINE_DAYS = 7

# What a provider refused at once stands in attempts, what failed after its acceptance in the delivery events.
FAILURES = """
SELECT e.provider, e.code AS error_code, '' AS text, e.error_class, nullif(e.domain, '') AS domain_or_carrier,
       coalesce(nullif(a.template, ''), e.message_type) AS template, e.channel, e.at
FROM delivery_events e LEFT JOIN attempts a ON a.id = e.attempt_id
WHERE e.at >= $1 AND e.at < $2 AND e.kind = ANY($3)
UNION ALL
SELECT a.provider, a.code, a.detail, a.error_class, nullif(c.domain, ''), a.template, a.channel, a.closed_at
FROM attempts a LEFT JOIN contact_points c ON c.id = a.contact_point_id
WHERE a.opened_at >= $1 AND a.opened_at < $2 AND a.outcome IN ('refused_for_good', 'quota_exhausted')
  AND NOT EXISTS (SELECT FROM delivery_events e WHERE e.attempt_id = a.id AND e.kind = ANY($3))
"""
FAILED = ("bounced_hard", "bounced_soft", "failed", "suppressed")


def failures(connection: Any, start: datetime, end: datetime) -> pd.DataFrame:
    """Rows (provider, error_code, text, error_class, domain_or_carrier, template, channel, at) of [start, end).

    Failures without a class are given one by the triage's own table. `text` is a provider's and is not for showing.
    """
    found = read(connection, FAILURES, (start, end, list(FAILED)))
    unknown = found["error_class"] == ""
    if unknown.any():
        distinct = found.loc[unknown, ["provider", "error_code", "text"]].drop_duplicates()
        classes = {
            (row.provider, row.error_code, row.text): str(normalise(row.provider, row.error_code, row.text))
            for row in distinct.itertuples()
        }
        keys = zip(found["provider"], found["error_code"], found["text"], strict=True)
        found["error_class"] = [
            given or classes[key] for given, key in zip(found["error_class"], keys, strict=True)
        ]
    return found


def baseline(connection: Any, start: datetime) -> pd.DataFrame:
    """The failures of the week before `start`: what is usual."""
    return failures(connection, start - timedelta(days=BASELINE_DAYS), start)
