"""Writing results back: Postgres keeps what was found, Redis holds what is true now."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from analytics.delivery_figures import Figures
from core.database import transaction
from core.redis import client
from core.statements import as_json, execute, insert_rows, rows

CURRENT_RATES = "mingus:analytics:delivery_rates"
"""A Redis hash: `grouping:name` → JSON of the newest figures, and `window` → its ends."""


def replace_delivery_rates(start: datetime, end: datetime, found: Sequence[Figures]) -> int:
    """The figures of [start, end) in place of earlier ones of the same window, in one transaction; rows written."""
    with transaction() as connection:
        execute(
            connection, "DELETE FROM delivery_rates WHERE window_start = %s AND window_end = %s", (start, end)
        )
        insert_rows(
            connection,
            "INSERT INTO delivery_rates (window_start, window_end, grouping, name, figures) VALUES %s",
            [(start, end, each.grouping, each.name, as_json(each.values)) for each in found],
        )
    return len(found)


def publish_delivery_rates(
    start: datetime, end: datetime, found: Sequence[Figures], *, hold_seconds: int
) -> None:
    """The figures as the current ones in Redis, replaced at once; gone after `hold_seconds`, because old is not current."""
    values: dict[str, Any] = {f"{each.grouping}:{each.name}": each.values for each in found}
    values["window"] = {"start": start, "end": end}
    publish_current(CURRENT_RATES, values, hold_seconds=hold_seconds)


def publish_current(key: str, values: Mapping[str, Any], *, hold_seconds: int) -> None:
    """A Redis hash with these fields as JSON and no others, replaced at once, gone after `hold_seconds`."""
    fields: dict[Any, Any] = {name: orjson.dumps(value) for name, value in values.items()}
    with client().pipeline(transaction=True) as pipe:
        pipe.delete(key)
        if fields:
            pipe.hset(key, mapping=fields)
            pipe.expire(key, hold_seconds)
        pipe.execute()


def replace_report(
    connection: Connection, name: str, start: datetime, end: datetime, body: Mapping[str, Any]
) -> None:
    """What an analysis called `name` found in [start, end), in place of what it found there before."""
    execute(
        connection,
        "INSERT INTO reports (name, window_start, window_end, body) VALUES (%s, %s, %s, %s::jsonb)"
        " ON CONFLICT (name, window_start, window_end) DO UPDATE SET body = EXCLUDED.body, computed_at = now()",
        (name, start, end, as_json(body)),
    )


def last_report(connection: Connection, name: str, *, before: datetime) -> dict[str, Any] | None:
    """The newest report of that name whose window ended before; None when there is none."""
    found = rows(
        connection,
        "SELECT body FROM reports WHERE name = %s AND window_end < %s ORDER BY window_end DESC LIMIT 1",
        (name, before),
    )
    return dict(found[0][0]) if found else None
