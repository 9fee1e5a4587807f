"""What the relay does about rows: find what is due, and give what was lost with its worker its next step.

Everything works from Postgres alone; an empty Redis costs a second, a killed worker its lease.
"""

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from core.database import transaction
from core.settings import settings
from core.statements import execute, rows
from delivery.holding import bury_poison
from delivery.providers import provider

log = logging.getLogger(__name__)

PAGE = 1000


class Due(NamedTuple):
    """A notification to publish; one that was lost with its worker before travels alone, to spare its neighbours."""

    id: UUID
    is_suspect: bool


def due(room: Mapping[str, int]) -> dict[str, list[Due]]:
    """Take due notifications for publishing: lane → at most `room[lane]` each, longest due first.

    A row that is taken comes back after MINGUS_REPUBLISH_SECONDS unless it was claimed meanwhile.
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
                (lane, limit, settings().republish_seconds),
            )
        found[lane] = [Due(*row) for row in taken]
    return found


def unpublish(ids: Sequence[UUID]) -> None:
    """Make ids due again at once, because the broker did not take them or their worker stops."""
    with transaction() as connection:
        execute(
            connection,
            "UPDATE notifications SET publish_after = GREATEST(deliver_after, now()) WHERE id = ANY(%s::uuid[])"
            " AND state = 'accepted'",
            ([str(each) for each in ids],),
        )


def recover_lapsed(*, for_seconds: float = 10.0) -> dict[str, int]:
    """Give every claim whose lease is over its next step; how many took each. No provider is called here.

    released  no provider was called: back to the lane, later with every claim that ended without a word
    unknown   a provider may have it: `delivery.unknowns` repeats where a key makes it safe, or asks
    sent      an attempt was taken and only the state was lost
    buried    it has ended its workers too often
    """
    counts: Counter[str] = Counter()
    until = time.monotonic() + for_seconds
    while time.monotonic() < until:
        found = _recover_page()
        counts.update(found)
        if sum(found.values()) < PAGE:
            break
    counts = +counts
    if counts:
        log.warning("claims_recovered", extra={"counts": dict(counts)})
    return dict(counts)


def _recover_page() -> dict[str, int]:
    with transaction() as connection:
        lapsed = rows(
            connection,
            "SELECT n.id, n.claims,"
            " (SELECT max(a.provider) FROM attempts a WHERE a.notification_id = n.id AND a.closes = ''"
            "  AND (a.closed_at IS NULL OR a.outcome = 'unknown')),"
            " EXISTS (SELECT FROM attempts a WHERE a.notification_id = n.id AND a.closes = ''"
            "  AND a.outcome = 'accepted')"
            " FROM notifications n WHERE n.state = 'claimed' AND n.lease_until <= now()"
            " ORDER BY n.lease_until LIMIT %s FOR UPDATE SKIP LOCKED",
            (PAGE,),
        )
        unknown: dict[bool, list[UUID]] = {True: [], False: []}
        for row in lapsed:
            if row[2]:
                unknown[provider(row[2]).idempotent].append(row[0])
        sent = [row[0] for row in lapsed if row[3] and not row[2]]
        rest = [(row[0], row[1]) for row in lapsed if not row[2] and not row[3]]
        buried = [each for each, claims in rest if claims > settings().claims_before_dead]
        return {
            "unknown": _to_unknown(connection, unknown[True], look_after=0)
            + _to_unknown(connection, unknown[False], look_after=settings().unknown_settle_seconds),
            "sent": _to_sent(connection, sent),
            "buried": bury_poison(connection, buried) if buried else 0,
            "released": _release(connection, [each for each, _ in rest if each not in set(buried)]),
        }


def _to_unknown(connection: Connection, ids: Sequence[UUID], *, look_after: int) -> int:
    """Due for a look at once where a repeat is safe, else after the settle time.

    The fence grows, so that the silent worker's late word can't move the notification any more; `claims` stay
    counted, because looking at it may be what ends a worker.
    """
    return execute(
        connection,
        "UPDATE notifications SET state = 'unknown', reason = 'worker_lost', fence = fence + 1, lease_until = NULL,"
        " updated_at = now(), deliver_after = now() + make_interval(secs => %s) WHERE id = ANY(%s::uuid[])",
        (look_after, [str(each) for each in ids]),
    )


def _to_sent(connection: Connection, ids: Sequence[UUID]) -> int:
    return execute(
        connection,
        "UPDATE notifications SET state = 'sent', lease_until = NULL, claims = 0, updated_at = now(),"
        " sent_at = COALESCE(sent_at, now()) WHERE id = ANY(%s::uuid[])",
        ([str(each) for each in ids],),
    )


def _release(connection: Connection, ids: Sequence[UUID]) -> int:
    """The first time at once; a message that does it again waits about 4, 8, 16 … seconds.

    About: those that died together must not come back together, or a neighbour of what kills its workers dies with it
    again and again, until it is taken for one itself.
    """
    return execute(
        connection,
        "UPDATE notifications SET state = 'accepted', lease_until = NULL, updated_at = now(),"
        " publish_after = now() + make_interval(secs => CASE WHEN claims > 1 THEN LEAST(power(2, claims), 300) * (0.5 + random())"
        "  ELSE 0 END) WHERE id = ANY(%s::uuid[])",
        ([str(each) for each in ids],),
    )
