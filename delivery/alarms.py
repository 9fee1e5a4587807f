"""Alarms for the people who run this: rows of `alarms`, raised once and ended when they are over.

The same table and the same meaning as `analytics.alarm_store`: whoever shows or forwards alarms reads them from there.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.ids import new_id
from core.statements import as_json, execute, insert_rows

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm about one `subject`: a sentence for people, ids and numbers for machines."""

    subject: str
    sentence: str
    details: Mapping[str, Any] = field(default_factory=dict)


def settle(connection: Connection, name: str, raised: Collection[Raised], *, now: datetime) -> list[str]:
    """Make the open alarms called `name` exactly `raised`: the others end; the subjects that are new are returned."""
    execute(
        connection,
        "UPDATE alarms SET ended_at = %s WHERE name = %s AND ended_at IS NULL AND NOT subject = ANY(%s)",
        (now, name, [each.subject for each in raised]),
    )
    written = insert_rows(
        connection,
        "INSERT INTO alarms (id, name, subject, sentence, details, raised_at) VALUES %s"
        " ON CONFLICT (name, subject) WHERE ended_at IS NULL"
        " DO UPDATE SET sentence = EXCLUDED.sentence, details = EXCLUDED.details RETURNING subject, xmax = 0",
        [(new_id(), name, each.subject, each.sentence, as_json(each.details), now) for each in raised],
    )
    new = sorted(subject for subject, is_new in written if is_new)
    for subject in new:
        log.error("alarm_raised", extra={"alarm": name, "subject": subject})
    return new
