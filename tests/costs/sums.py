"""What SQL says the running totals should be."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from core.database import transaction
from core.statements import rows


def sums_in_sql(day: date) -> tuple[dict[str, int], dict[str, Decimal], dict[str, Decimal]]:
    """(events by type:channel:kind, USD by type, USD by channel) of one day; written without the product's own query."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT message_type, channel, kind, price FROM delivery_events WHERE at >= %s AND at < %s",
            (begin, begin + timedelta(days=1)),
        )
    events: dict[str, int] = {}
    by_type: dict[str, Decimal] = {}
    by_channel: dict[str, Decimal] = {}
    for name, channel, kind, price in found:
        if kind == "sent" and price is None:
            continue
        key = f"{name}:{channel}:{kind}"
        events[key] = events.get(key, 0) + 1
        if price is not None:
            by_type[name] = by_type.get(name, Decimal(0)) + price
            by_channel[channel] = by_channel.get(channel, Decimal(0)) + price
    return events, _without_nothing(by_type), _without_nothing(by_channel)


def _without_nothing(sums: dict[Any, Decimal]) -> dict[Any, Decimal]:
    return {name: amount for name, amount in sums.items() if amount}
