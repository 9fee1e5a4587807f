"""Claims: compare-and-set with a lease and a fence. Two workers with one id: one wins, the other stops.

claim ─commit▶ held … (judge, render, open attempts) ─commit▶ call ▶ end
                 └─ an error of ours ▶ release

A claim is committed for itself, so that what kills its worker has been counted: `claims` grows with every claim and
goes back to 0 with every move.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from core.ids import id_array
from core.statements import Prepared, from_records, later, rows
from core.values import value


@value(frozen=True, slots=True)
class Claimed:
    """A notification that this process may work on until its lease is over, under `fence`; the columns of `_CLAIM`."""

    id: UUID
    user_id: str
    message_type: str
    payload_sealed: memoryview
    created_at: datetime
    expires_at: datetime
    fence: int
    lease_until: datetime
    claims: int
    tries: int
    possible_duplicate: bool


BY_ID_ALONE = "n.state || ''"
"""The state of a row that its id leads to, written so that nothing else can: the small indexes of what waits and of what
is claimed now are full of entries that have just died while bulk drains, and the planner believes them to be empty.
"""
_CLAIM = Prepared(
    "claim",
    "WITH free AS (SELECT n.id FROM notifications n CROSS JOIN (SELECT set_config('synchronous_commit', 'off', true))"
    "  AS unhurried WHERE n.id = ANY($1::uuid[])"
    f"  AND {BY_ID_ALONE} = 'accepted' AND n.deliver_after <= now()"
    "  FOR UPDATE OF n SKIP LOCKED)"
    " UPDATE notifications n SET state = 'claimed', fence = n.fence + 1, claims = n.claims + 1,"
    "  lease_until = now() + make_interval(secs => $2), updated_at = now()"
    " FROM free WHERE n.id = free.id"
    " RETURNING n.id, n.user_id, n.message_type, n.payload_sealed, n.created_at, n.expires_at, n.fence,"
    "  n.lease_until, n.claims, n.tries, n.possible_duplicate",
)
HELD = (
    "SELECT v.place AS told FROM unnest({ids}::uuid[], {fences}::int[]) WITH ORDINALITY AS v (id, fence, place)"
    f" CROSS JOIN LATERAL (SELECT FROM notifications n WHERE n.id = v.id AND {BY_ID_ALONE} = 'claimed'"
    "  AND n.fence = v.fence AND n.lease_until = {lease_until}::timestamptz AND n.lease_until > now()"
    "  LIMIT 1 FOR NO KEY UPDATE) AS one"
)
"""The places of the claims (`held_by`: made together, under one lease) that are still ours, their rows locked until the
transaction ends; a lapsed lease may have been taken over. The lease's end is compared too: a claim that a server's crash
forgot may have been followed by another worker's with the same fence.
"""


def claim(connection: Connection, ids: Collection[UUID], *, lease_seconds: int) -> list[Claimed]:
    """Take those of `ids` that are due and free; another worker's and already settled ones are left out.

    The commit is not waited for on disk: a claim that a crash of the server forgets is noticed by `HELD`.
    """
    return [Claimed(*row) for row in rows(connection, _CLAIM, (id_array(ids), lease_seconds))]


def announce(connection: Connection) -> None:
    """Tell an opt-out (`delivery.opt_out`) by the table's lock, before the consents are read, that they are used."""
    later(connection, "LOCK TABLE notifications IN ROW EXCLUSIVE MODE")


def held_by(claimed: Sequence[Claimed]) -> tuple[str, str, datetime | None]:
    """The ids, fences and common lease of claims that were made together, as `HELD` takes them."""
    fences = ",".join([str(each.fence) for each in claimed])
    return (
        id_array([each.id for each in claimed]),
        f"{{{fences}}}",
        claimed[0].lease_until if claimed else None,
    )


def release(connection: Connection, claimed: Sequence[Claimed]) -> int:
    """Give back claims for which no provider was called, to be published again, later with every claim; how many.

    Those with an open attempt stay claimed: only their lease's end tells that nobody works on them.
    """
    found = from_records(
        connection,
        "UPDATE notifications n SET state = 'accepted', lease_until = NULL, updated_at = now(),"
        " publish_after = now() + make_interval(secs => LEAST(power(2, n.claims), 300) * (0.5 + random()))"
        " FROM json_to_recordset(%s) AS v (id uuid, fence int)"
        f" WHERE n.id = v.id AND n.fence = v.fence AND {BY_ID_ALONE} = 'claimed'"
        " AND NOT EXISTS (SELECT FROM attempts a WHERE a.notification_id = n.id AND a.fence = n.fence) RETURNING n.id",
        [{"id": each.id, "fence": each.fence} for each in claimed],
    )
    return len(found)
