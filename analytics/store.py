"""Writing results back: Postgres keeps what was found, Redis holds what is true now."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from analytics.delivery_figures import Figures
from core.database import as_json, execute, insert_rows, transaction
from core.redis import client

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
    values: dict[Any, Any] = {f"{each.grouping}:{each.name}": orjson.dumps(each.values) for each in found}
    values["window"] = orjson.dumps({"start": start.isoformat(), "end": end.isoformat()})
    with client().pipeline(transaction=True) as pipe:
        pipe.delete(CURRENT_RATES)
        pipe.hset(CURRENT_RATES, mapping=values)
        pipe.expire(CURRENT_RATES, hold_seconds)
        pipe.execute()
