"""Attempts: the intent to call a provider, committed before the call, and what became of it."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from core.ids import id_array
from core.sealing import SealedBytes
from core.statements import Prepared, Row, as_records, execute, from_records, later, rows, shared
from core.values import value
from core.vocabulary import Channel, ErrorClass, OutcomeKind


@value(frozen=True, slots=True)
class Intent:
    """What an attempt has in common with others of its call; many share one."""

    channel: Channel
    provider: str
    key: str
    number: int
    template: str
    units: int
    cost_estimate: Decimal


@value(frozen=True, slots=True)
class OpenAttempt:
    """An attempt as it is written before the provider is called; the first of a call keeps what all of it carries."""

    id: UUID
    notification_id: UUID
    fence: int
    contact_point_id: str
    position: int
    rendered_sealed: SealedBytes | None
    intent: Intent


@value(frozen=True, slots=True, kw_only=True)
class ClosedAttempt:
    """What became of an attempt."""

    id: UUID
    outcome: OutcomeKind
    reference: str = ""
    code: str = ""
    error_class: ErrorClass | None = None
    detail: str = ""
    closes: str = ""
    units: int | None = None
    charged: Decimal | None = None
    """USD that the provider says it costs, where it does."""


_OPEN = Prepared(
    "open_attempts",
    "INSERT INTO attempts (id, notification_id, fence, number, channel, provider, contact_point_id, key, position,"
    " template, rendered_sealed, units, cost_estimate)"
    " SELECT id, notification_id, fence, number, channel, provider, contact_point_id, key, position,"
    " template, rendered_sealed, units, cost_estimate"
    " FROM json_to_recordset($1) AS a (id uuid, notification_id uuid, fence int, contact_point_id uuid,"
    "  position smallint, rendered_sealed bytea, intent int)"
    " JOIN json_to_recordset($2) AS i (place int, channel text, provider text, key text, number smallint,"
    "  template text, units smallint, cost_estimate numeric) ON i.place = a.intent",
)
CLOSE = (
    "UPDATE attempts a SET closed_at = clock_timestamp(), outcome = v.outcome, reference = v.reference,"
    " code = v.code, error_class = COALESCE(v.error_class, ''), detail = left(v.detail, 500), closes = v.closes,"
    " units = COALESCE(v.units, a.units), cost = v.charged, resolved_by = v.resolved_by FROM said AS v"
    " WHERE a.id = v.attempt_id AND a.id = ANY(ARRAY(SELECT attempt_id FROM said)) AND (a.closed_at IS NULL"
    "  OR (a.outcome = 'unknown' AND v.outcome <> 'unknown') OR (a.outcome = 'retry_later' AND v.outcome = 'accepted'))"
)
"""Closes attempts by what is `said` of them: those that are open, or better known now.

They are named twice: by the join alone, a plan that was made while there were few would read through all of them.

Known better: anything outranks Unknown, and a provider that took the message outranks our belief that it was not sent
(a paused worker's late word, a receipt).
"""
_CLOSE_ALL = Prepared(
    "close_attempts",
    "WITH said AS (SELECT id AS attempt_id, outcome, reference, code, error_class, detail, closes, units, charged,"
    "  $2 AS resolved_by, ordinality"
    "  FROM ROWS FROM (json_to_recordset($1) AS (id uuid, outcome text, reference text, code text, error_class text,"
    f"  detail text, closes text, units smallint, charged numeric)) WITH ORDINALITY) {CLOSE} RETURNING v.ordinality",
)


def open_attempts(connection: Connection, attempts: Sequence[OpenAttempt]) -> None:
    """Write the intent to call a provider, on the way to the commit; commit before calling."""
    if attempts:
        places, intents = shared([each.intent for each in attempts])
        members = [_as_record(each, place) for each, place in zip(attempts, places, strict=True)]
        later(connection, _OPEN, (as_records(members), intents))


def _as_record(attempt: OpenAttempt, place: int) -> dict[str, Any]:
    return {
        "id": attempt.id, "notification_id": attempt.notification_id, "fence": attempt.fence,
        "contact_point_id": attempt.contact_point_id, "position": attempt.position,
        "rendered_sealed": attempt.rendered_sealed, "intent": place,
    }  # fmt: skip


def close_attempts(connection: Connection, closed: Sequence[ClosedAttempt], *, resolved_by: str) -> set[UUID]:
    """Close those that are open, or better known now (see `CLOSE`); the ids that this call has closed."""
    in_order = sorted(closed, key=lambda c: c.id.int)  # writers of the same attempts never cross
    found = from_records(connection, _CLOSE_ALL, in_order, resolved_by)
    return {in_order[place - 1].id for (place,) in found}


def end_attempt(connection: Connection, attempt_id: UUID, closes: str) -> bool:
    """Write down that an attempt did not arrive: it rules out itself ("attempt"), its "route" or its "channel".

    False when that was written before: whoever did it has sent the message on.
    """
    return bool(
        rows(
            connection,
            "UPDATE attempts SET closes = %s WHERE id = %s AND closes = '' RETURNING id",
            (closes, attempt_id),
        )
    )


def close_route(connection: Connection, attempt_id: UUID) -> None:
    """Rule out the route of an attempt whose outcome stays unknown."""
    execute(
        connection,
        "UPDATE attempts SET closes = 'route', outcome = 'unknown', closed_at = COALESCE(closed_at, clock_timestamp())"
        " WHERE id = %s AND (closed_at IS NULL OR outcome = 'unknown')",
        (attempt_id,),
    )


def earlier_attempts(connection: Connection, notification_ids: Collection[UUID]) -> list[Row]:
    """(notification, channel, provider, outcome, closes) of all attempts of these, which the caller has locked."""
    return rows(
        connection,
        "SELECT notification_id, channel, provider, outcome, closes FROM attempts WHERE notification_id = ANY(%s::uuid[])"
        " ORDER BY id",
        (id_array(notification_ids),),
    )


def other_live_attempts(connection: Connection, notification_id: UUID, attempt_id: UUID) -> bool:
    """True when another attempt of the notification is under way, was accepted, or may have been.

    The notification is locked first: a worker that holds it may be opening an attempt at this moment.
    """
    return bool(
        rows(
            connection,
            "SELECT FROM notifications WHERE id = %(notification)s FOR NO KEY UPDATE;"
            " SELECT FROM attempts WHERE notification_id = %(notification)s AND id <> %(attempt)s AND closes = ''"
            " AND (closed_at IS NULL OR outcome IN ('accepted', 'unknown')) LIMIT 1",
            {"notification": notification_id, "attempt": attempt_id},
        )
    )
