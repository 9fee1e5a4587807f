"""What the relay does about rows: find what is due, and give what was lost with its worker its next step.

Everything works from Postgres alone; an empty Redis costs a second, a killed worker its lease.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from core.database import execute, rows, transaction
from core.settings import settings
from core.vocabulary import ErrorClass, State
from delivery import ledger
from delivery.interrupted import interrupted_attempts, repeat

log = logging.getLogger(__name__)

KILLS_ITS_WORKER = "kills_its_worker"
REPUBLISH_AFTER = 20.0
"""Seconds after which an id that was published but not claimed is published again; a repeat is harmless."""


class Due(NamedTuple):
    """A notification to publish; one that was lost with its worker before travels alone, to spare its neighbours."""

    id: UUID
    is_suspect: bool


def due(room: Mapping[str, int]) -> dict[str, list[Due]]:
    """Take due notifications for publishing: lane → at most `room[lane]` each, longest due first.

    A row that is taken comes back after `REPUBLISH_AFTER` seconds unless it was claimed meanwhile.
    """
    found: dict[str, list[Due]] = {}
    for lane, limit in room.items():
        if limit <= 0:
            continue
        with transaction() as connection:
            taken = rows(
                connection,
                "WITH ready AS (SELECT id FROM notifications WHERE lane = %s AND state = 'accepted'"
                "  AND publish_after <= now() ORDER BY publish_after LIMIT %s FOR UPDATE SKIP LOCKED)"
                " UPDATE notifications n SET publish_after = now() + make_interval(secs => %s) FROM ready"
                " WHERE n.id = ready.id RETURNING n.id, n.claims > 0",
                (lane, limit, REPUBLISH_AFTER),
            )
        found[lane] = [Due(*row) for row in taken]
    return found


def unpublish(ids: Sequence[UUID]) -> None:
    """Make ids due again at once, because the broker did not take them."""
    with transaction() as connection:
        execute(
            connection,
            "UPDATE notifications SET publish_after = now() WHERE id = ANY(%s::uuid[]) AND state = 'accepted'",
            ([str(each) for each in ids],),
        )


def recover_lapsed(*, limit: int = 1000) -> dict[str, int]:
    """Give every claim whose lease is over its next step; how many took each.

    Without an unsettled attempt: back to the lane. At a provider with idempotency keys: the same call again, same
    key, same bytes. Elsewhere: unknown, to be resolved by receipt or by the provider's list.
    """
    with transaction() as connection:
        lapsed = rows(
            connection,
            "SELECT id, claims FROM notifications WHERE state = 'claimed' AND lease_until < now()"
            " ORDER BY lease_until LIMIT %s FOR UPDATE SKIP LOCKED",
            (limit,),
        )
        if not lapsed:
            return {}
        interrupted = interrupted_attempts(connection, [row[0] for row in lapsed])
        held = {each.sent.notification_id for each in interrupted}
        poison = {row[0] for row in lapsed if row[0] in held and row[1] > settings().claims_before_dead}
        taken = {row[0] for row in lapsed}
        repeatable = {each.sent.notification_id for each in interrupted if each.repeatable} & taken - poison
        unknowable = held & taken - repeatable - poison
        released = execute(
            connection,
            "UPDATE notifications SET state = 'accepted', lease_until = NULL, publish_after = now(),"
            " updated_at = now() WHERE id = ANY(%s::uuid[]) AND state = 'claimed'",
            ([str(row[0]) for row in lapsed if row[0] not in held],),
        )
        # The fence grows, so that the silent worker's late word can't move the notification any more.
        execute(
            connection,
            "UPDATE notifications SET fence = fence + 1, claims = claims + 1, updated_at = now(),"
            " lease_until = now() + make_interval(secs => %s) WHERE id = ANY(%s::uuid[])",
            (settings().lease_seconds, [str(each) for each in repeatable]),
        )
        execute(
            connection,
            "UPDATE notifications SET state = %s, reason = 'worker_lost', fence = fence + 1, claims = 0,"
            " lease_until = NULL, updated_at = now() WHERE id = ANY(%s::uuid[])",
            (State.UNKNOWN, [str(each) for each in unknowable]),
        )
        bury_poison(connection, poison)
    repeat([each for each in interrupted if each.repeatable and each.sent.notification_id not in poison])
    counts = {"released": released, "repeated": len(repeatable), "unknown": len(unknowable)}
    log.warning("claims_recovered", extra={"counts": counts})
    return counts


def bury_poison(connection: Connection, ids: Collection[UUID], trace_reference: str = "") -> None:
    """Put notifications that end their workers again and again where they can do no more harm."""
    buried = rows(
        connection,
        "UPDATE notifications SET state = 'dead', reason = %s, lease_until = NULL, final_at = now(), updated_at = now()"
        " WHERE id = ANY(%s::uuid[]) AND state IN ('accepted', 'claimed') RETURNING id, claims",
        (KILLS_ITS_WORKER, [str(each) for each in ids]),
    )
    ledger.bury(
        connection, [(row[0], KILLS_ITS_WORKER, ErrorClass.OURS, row[1], trace_reference) for row in buried]
    )


def note_crash(notification_id: UUID, *, trace_reference: str) -> None:
    """Count a delivery that ended in an error of ours, and give it time; too many bring it to the dead letters."""
    with transaction() as connection:
        claims = rows(
            connection,
            "UPDATE notifications SET claims = claims + 1, reason = 'crashed', updated_at = now(),"
            " publish_after = now() + make_interval(secs => 5 * power(2, claims)) WHERE id = %s AND state = 'accepted'"
            " RETURNING claims",
            (notification_id,),
        )
        if claims and claims[0][0] > settings().claims_before_dead:
            bury_poison(connection, [notification_id], trace_reference)
