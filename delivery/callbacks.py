"""The durable inbox: verified events are stored sealed before their sender is answered, and taken out to be processed."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection

from core.database import transaction
from core.errors import SealBroken
from core.ids import first_id, new_id
from core.sealing import seal, unseal
from core.statements import execute, insert_rows, rows
from core.vocabulary import ErrorClass, EventKind
from delivery.messages import DeliveryEvent

log = logging.getLogger(__name__)

EVENT_PLACE = "callbacks.event"
INBOUND_AFTER = timedelta(seconds=15)
"""The web app handles what people write at once, to answer them; what it left behind is due after this long."""
LONGEST_WAIT = timedelta(minutes=15)
PAYLOADS_KEPT = timedelta(days=90)
"""How long a provider's own words can be read again, after they were processed."""
KEYS_KEPT = timedelta(days=400)
"""Twilio's signatures hold no time: a callback that is played back is known by its key for this long."""
PAGE = 5000


def receive(events: Sequence[DeliveryEvent]) -> int:
    """Store verified events in the inbox, committed when it returns; the number that was not known before."""
    if not events:
        return 0
    values = []
    for event in map(storable, events):
        callback_id = new_id()
        sealed = seal(orjson.dumps(event, default=str), place=EVENT_PLACE, row=callback_id)
        wait = INBOUND_AFTER.total_seconds() if event.kind is EventKind.RECEIVED else 0
        values.append((callback_id, event.provider, event.event_key, event.kind, sealed, wait))
    values.sort(
        key=lambda row: (row[1], row[2])
    )  # writers that meet the same keys meet them in the same order
    with transaction() as connection:
        stored = insert_rows(
            connection,
            "INSERT INTO callbacks (id, provider, event_key, kind, event_sealed, due_at) VALUES %s"
            " ON CONFLICT (provider, event_key) DO NOTHING RETURNING id",
            values,
            template="(%s, %s, %s, %s, %s, now() + make_interval(secs => %s))",
        )
    return len(stored)


def take(connection: Connection, *, inbound: bool, limit: int) -> dict[UUID, DeliveryEvent]:
    """Lock and open the events that are longest due: what people wrote (`inbound`), or what providers report.

    What can't be opened (a key is gone, or the row was tampered with) is marked and never met again.
    """
    taken = rows(
        connection,
        "SELECT id, event_sealed FROM callbacks WHERE processed_at IS NULL AND due_at <= now()"
        " AND (kind = 'received') = %s ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED",
        (inbound, limit),
    )
    events: dict[UUID, DeliveryEvent] = {}
    broken: list[UUID] = []
    for callback_id, sealed in taken:
        try:
            events[callback_id] = _event(unseal(sealed, place=EVENT_PLACE, row=callback_id))
        except (SealBroken, ValueError, KeyError, TypeError):
            broken.append(callback_id)
    if broken:
        log.error("callbacks_unreadable", extra={"callbacks": [str(each) for each in broken]})
        finish(connection, dict.fromkeys(broken, "unreadable"))
    return events


def finish(connection: Connection, results: Mapping[UUID, str]) -> None:
    """Note what became of taken rows: they are done."""
    if results:
        execute(
            connection,
            "UPDATE callbacks c SET result = v.result, processed_at = now()"
            " FROM unnest(%s::uuid[], %s::text[]) AS v (id, result) WHERE c.id = v.id",
            ([str(each) for each in results], list(results.values())),
        )


def finish_inbound(connection: Connection, event: DeliveryEvent, result: str) -> None:
    """Note that a person's message was handled, whoever took it out."""
    execute(
        connection,
        "UPDATE callbacks SET result = %s, processed_at = now()"
        " WHERE provider = %s AND event_key = %s AND processed_at IS NULL",
        (result, event.provider, event.event_key),
    )


def keep_waiting(connection: Connection, ids: Collection[UUID], *, give_up_after: timedelta) -> None:
    """Look at these again later, ever more rarely; those that have waited for `give_up_after` are done."""
    if ids:
        execute(
            connection,
            "UPDATE callbacks SET result = 'unmatched',"
            " due_at = now() + GREATEST(LEAST(now() - received_at, %s), interval '1 second'),"
            " processed_at = CASE WHEN received_at < now() - %s THEN now() END WHERE id = ANY(%s::uuid[])",
            (LONGEST_WAIT, give_up_after, [str(each) for each in ids]),
        )


def forget(now: datetime) -> tuple[int, int]:
    """Empty what was processed long ago, and drop the oldest; (emptied, dropped), to be called daily.

    A raw payload holds an address and is kept for `PAYLOADS_KEPT`; its key, which knows a repetition, for `KEYS_KEPT`.
    """
    emptied = _in_pages(
        "UPDATE callbacks SET event_sealed = '' WHERE id IN (SELECT id FROM callbacks WHERE id < %s"
        " AND processed_at IS NOT NULL AND event_sealed <> '' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id",
        first_id(now - PAYLOADS_KEPT),
    )
    dropped = _in_pages(
        "DELETE FROM callbacks WHERE id IN (SELECT id FROM callbacks WHERE id < %s AND processed_at IS NOT NULL"
        " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id",
        first_id(now - KEYS_KEPT),
    )
    if emptied or dropped:
        log.info("callbacks_forgotten", extra={"emptied": emptied, "dropped": dropped})
    return emptied, dropped


def _in_pages(statement: str, before: UUID) -> int:
    """Run until it finds nothing more, in transactions that hold up nobody."""
    done = 0
    while True:
        with transaction() as connection:
            found = len(rows(connection, statement, (before, PAGE)))
        done += found
        if found < PAGE:
            return done


def storable(event: DeliveryEvent) -> DeliveryEvent:
    """PostgreSQL's texts can't hold NUL, which a signed callback might: it is dropped rather than met at each tick."""
    texts = {
        name: value.replace("\x00", "")
        for name in ("event_key", "reference", "code", "address", "text")
        if "\x00" in (value := getattr(event, name))
    }
    return replace(event, **texts) if texts else event


def _event(text: str) -> DeliveryEvent:
    data: dict[str, Any] = orjson.loads(text)
    return DeliveryEvent(
        **data
        | {
            "kind": EventKind(data["kind"]),
            "at": datetime.fromisoformat(data["at"]),
            "attempt_id": UUID(data["attempt_id"]) if data["attempt_id"] else None,
            "error_class": ErrorClass(data["error_class"]) if data["error_class"] else None,
            "price": Decimal(data["price"]) if data["price"] is not None else None,
        }
    )
