"""Running totals in Redis: messages and money per day, type and person. A copy of SQL's sums, rebuilt from them.

`mingus:count:{day}`       type:channel:kind → messages
`mingus:cost:{day}:type`   type → millionths of a USD
`mingus:cost:{day}:user`   user → millionths of a USD

Written after the commit that they count; what a kill or an absent Redis leaves out, `rebuild` puts right.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from core.database import after_commit, rows
from core.redis import REDIS_AWAY, client

log = logging.getLogger(__name__)

MILLION = Decimal(1_000_000)
KEPT = timedelta(days=40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Something that counts: one delivery event."""

    at: datetime
    message_type: str
    channel: str
    kind: str
    user_id: str | None
    price: Decimal | None


def count_after_commit(connection: Connection, tallies: Sequence[Tally]) -> None:
    """Count all once the transaction has committed."""
    if tallies:
        after_commit(connection, lambda: count(tallies))


def count(tallies: Sequence[Tally]) -> None:
    """Add to the totals in one round trip; without Redis they are left to `rebuild`."""
    sums: Counter[tuple[str, str]] = Counter()
    for each in tallies:
        day = each.at.astimezone(UTC).date()
        sums[f"mingus:count:{day}", f"{each.message_type}:{each.channel}:{each.kind}"] += 1
        if each.price is not None and each.kind == "sent":
            micro = int(each.price * MILLION)
            sums[f"mingus:cost:{day}:type", each.message_type] += micro
            sums[f"mingus:cost:{day}:user", each.user_id or ""] += micro
    try:
        with client().pipeline(transaction=False) as pipeline:
            for (key, name), amount in sums.items():
                pipeline.hincrby(key, name, amount)
            for key in {key for key, _ in sums}:
                pipeline.expire(key, KEPT)
            pipeline.execute()
    except REDIS_AWAY:
        log.warning("counters_away", extra={"events": len(tallies)})


def rebuild(connection: Connection, day: date) -> None:
    """Replace the totals of one UTC day by SQL's sums, in one transaction at Redis."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    counts = rows(
        connection,
        "SELECT message_type, channel, kind, user_id, count(*), sum(price) FROM delivery_events"
        " WHERE at >= %s AND at < %s GROUP BY GROUPING SETS ((message_type, channel, kind), (message_type, kind),"
        " (user_id, kind))",
        (begin, begin + timedelta(days=1)),
    )
    totals: dict[str, dict[str, int]] = {}
    for message_type, channel, kind, user_id, number, price in counts:
        micro = int((price or 0) * MILLION)
        if channel is not None:
            totals.setdefault(f"mingus:count:{day}", {})[f"{message_type}:{channel}:{kind}"] = number
        elif message_type is not None and kind == "sent":
            totals.setdefault(f"mingus:cost:{day}:type", {})[message_type] = micro
        elif user_id is not None and kind == "sent":
            totals.setdefault(f"mingus:cost:{day}:user", {})[user_id] = micro
    with client().pipeline(transaction=True) as pipeline:
        pipeline.delete(f"mingus:count:{day}", f"mingus:cost:{day}:type", f"mingus:cost:{day}:user")
        for key, fields in totals.items():
            pipeline.hset(key, mapping=fields)
            pipeline.expire(key, KEPT)
        pipeline.execute()
