"""What an attempt has really cost, booked once: in its row, on its notification, and as a delivery event that is counted.

The sum of `price` over an attempt's delivery events is what is booked for it. The first is its `sent` event with the
estimate; a real price that differs adds a `price_settled` event with the difference, at the time of sending, so that
each day's sum ends at what its messages have cost.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection

from core.statements import insert_rows, rows
from delivery import ledger
from delivery.ledger import Fact

SENT, SETTLED = "sent", "price_settled"


@dataclass(frozen=True, slots=True)
class Booked:
    """How many attempts got another price than was booked, and by how many USD in all."""

    attempts: int
    difference: Decimal


def book(connection: Connection, prices: Mapping[UUID, Decimal | None]) -> Booked:
    """Book attempt id → real price in USD (None: the estimate stands, if nothing is booked yet); repeats change nothing.

    A price is what the provider takes, so its sign is ignored: Twilio writes charges as negative amounts.
    """
    if not prices:
        return Booked(0, Decimal(0))
    attempts = rows(
        connection,
        "SELECT a.id, a.notification_id, a.channel, a.provider, a.opened_at, a.cost_estimate, n.user_id,"
        " n.message_type, c.domain FROM attempts a JOIN notifications n ON n.id = a.notification_id"
        " LEFT JOIN contact_points c ON c.id = a.contact_point_id"
        " WHERE a.id = ANY(%s::uuid[]) ORDER BY a.id FOR UPDATE OF a",
        ([str(each) for each in prices],),
    )
    booked = _booked(connection, [row[1] for row in attempts])
    facts: list[Fact] = []
    by_notification: dict[UUID, Decimal] = defaultdict(Decimal)
    for (
        attempt_id,
        notification_id,
        channel,
        provider,
        opened_at,
        estimate,
        user_id,
        name,
        domain,
    ) in attempts:
        real = prices[attempt_id]
        so_far = booked.get(attempt_id)
        if real is None and so_far is not None:
            continue
        price = abs(real) if real is not None else estimate
        difference = price - (so_far[0] if so_far is not None else Decimal(0))
        if so_far is not None and not difference:
            continue
        by_notification[notification_id] += difference
        facts.append(
            Fact(
                at=so_far[1] if so_far is not None else opened_at, kind=SETTLED if so_far is not None else SENT,
                channel=channel, provider=provider, notification_id=notification_id, attempt_id=attempt_id,
                user_id=user_id, message_type=name, domain=domain or "", price=difference,
            )
        )  # fmt: skip
    _write(
        connection, {key: abs(price) for key, price in prices.items() if price is not None}, by_notification
    )
    ledger.record_facts(connection, facts)
    return Booked(len(facts), sum(by_notification.values(), Decimal(0)))


def _booked(connection: Connection, notification_ids: list[UUID]) -> dict[UUID, tuple[Decimal, datetime]]:
    """attempt → (USD booked so far, when it was sent)."""
    found = rows(
        connection,
        "SELECT attempt_id, sum(price), min(at) FROM delivery_events WHERE notification_id = ANY(%s::uuid[])"
        " AND attempt_id IS NOT NULL AND price IS NOT NULL GROUP BY attempt_id",
        ([str(each) for each in notification_ids],),
    )
    return {attempt_id: (price, at) for attempt_id, price, at in found}


def _write(
    connection: Connection, real: Mapping[UUID, Decimal], by_notification: Mapping[UUID, Decimal]
) -> None:
    if real:
        insert_rows(
            connection,
            "UPDATE attempts a SET cost = v.price FROM (VALUES %s) AS v (id, price) WHERE a.id = v.id",
            list(real.items()),
            template="(%s, %s::numeric)",
        )
    if by_notification:
        insert_rows(
            connection,
            "UPDATE notifications n SET cost = n.cost + v.difference FROM (VALUES %s) AS v (id, difference)"
            " WHERE n.id = v.id",
            sorted(by_notification.items()),
            template="(%s, %s::numeric)",
        )
