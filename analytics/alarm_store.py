"""Alarms as rows: raised once, ended when they are over, and their spans for whoever learns what is normal."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.ids import new_id
from core.statements import as_json, insert_rows, rows

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm of one kind (`name`) about one `subject`, with a sentence for people and JSON for machines."""

    subject: str
    sentence: str
    details: Mapping[str, Any] = field(default_factory=dict)


def settle_alarms(
    connection: Connection, name: str, raised: Collection[Raised], *, now: datetime
) -> list[Raised]:
    """Makes the open alarms called `name` exactly `raised`: ends the others, raises the new ones, which are returned."""
    rows(
        connection,
        "UPDATE alarms SET ended_at = %s WHERE name = %s AND ended_at IS NULL AND NOT subject = ANY(%s) RETURNING 1",
        (now, name, [each.subject for each in raised]),
    )
    if not raised:
        return []
    written = insert_rows(
        connection,
        "INSERT INTO alarms (id, name, subject, sentence, details, raised_at) VALUES %s"
        " ON CONFLICT (name, subject) WHERE ended_at IS NULL"
        " DO UPDATE SET sentence = EXCLUDED.sentence, details = EXCLUDED.details RETURNING subject, xmax = 0",
        [(new_id(), name, each.subject, each.sentence, as_json(each.details), now) for each in raised],
    )
    new = {subject for subject, is_new in written if is_new}
    for subject in sorted(new):
        log.error("alarm_raised", extra={"alarm": name, "subject": subject})
    return [each for each in raised if each.subject in new]


def spans(
    connection: Connection, name: str, *, since: datetime, now: datetime
) -> list[tuple[datetime, datetime]]:
    """When alarms called `name` lasted, as [start, end) from their own details' `since` on; open ones until `now`."""
    return [
        (start, end or now)
        for start, end in rows(
            connection,
            "SELECT coalesce((details ->> 'since')::timestamptz, raised_at), ended_at FROM alarms"
            " WHERE name = %s AND raised_at >= %s",
            (name, since),
        )
    ]
