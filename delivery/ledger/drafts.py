"""What is accepted: new notifications, one row per idempotency key for ever."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from core.ids import id_array
from core.sealing import SealedBytes
from core.statements import Prepared, as_records, execute, rows
from core.values import value


@value(frozen=True, slots=True, kw_only=True)
class Draft:
    """A notification about to be accepted."""

    id: UUID
    user_id: str
    message_type: str
    lane: str
    payload_sealed: SealedBytes
    content_hash: bytes
    idempotency_key: str | None
    campaign: str | None
    deliver_after: datetime
    expires_at: datetime
    reason: str = ""
    """Why it waits from the first, where it does."""


class Older(NamedTuple):
    """A notification that was accepted before under the same key."""

    id: UUID
    content_hash: bytes


_INSERT = Prepared(
    "insert_drafts",
    "INSERT INTO notifications (id, user_id, message_type, lane, payload_sealed, content_hash, idempotency_key,"
    " campaign, deliver_after, publish_after, expires_at, reason)"
    " SELECT id, user_id, message_type, lane, payload_sealed, content_hash, idempotency_key, campaign,"
    " deliver_after, deliver_after + make_interval(secs => $2), expires_at, reason"
    " FROM json_to_recordset($1) AS v (id uuid, user_id text, message_type text, lane text,"
    " payload_sealed bytea, content_hash bytea, idempotency_key text, campaign text, deliver_after timestamptz,"
    " expires_at timestamptz, reason text)"
    " WHERE EXISTS (SELECT FROM users u WHERE u.id = v.user_id AND u.erased_at IS NULL)"
    " ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING",
)


def known_users(connection: Connection, user_ids: Collection[str]) -> set[str]:
    """Those of `user_ids` that exist and are not erased."""
    found = rows(
        connection, "SELECT id FROM users WHERE id = ANY(%s) AND erased_at IS NULL", (list(user_ids),)
    )
    return {user_id for (user_id,) in found}


def insert(
    connection: Connection, drafts: Sequence[Draft], *, relay_after: float
) -> dict[UUID, Older | None]:
    """Insert all; draft id → what was there instead of it, nothing where all of them are new.

    That is the older row under its key, or None where the user doesn't exist or is erased. A writer that meets
    another's uncommitted key waits for that commit and then finds its row.
    """
    if not drafts:
        return {}
    in_order = sorted(drafts, key=lambda d: d.idempotency_key or "")  # writers of the same keys never cross
    inserted = execute(connection, _INSERT, (as_records(in_order), relay_after))
    return _instead(connection, drafts) if inserted < len(drafts) else {}


def _instead(connection: Connection, drafts: Sequence[Draft]) -> dict[UUID, Older | None]:
    ids = id_array(d.id for d in drafts)
    new = {i for (i,) in rows(connection, "SELECT id FROM notifications WHERE id = ANY(%s::uuid[])", (ids,))}
    left = [d for d in drafts if d.id not in new]
    known = known_users(connection, {d.user_id for d in left})
    keys = [d.idempotency_key for d in left if d.idempotency_key is not None]
    older = rows(
        connection,
        "SELECT idempotency_key, id, content_hash FROM notifications WHERE idempotency_key = ANY(%s)",
        (keys,),
    )
    by_key = {key: Older(notification_id, bytes(digest)) for key, notification_id, digest in older}
    return {d.id: by_key.get(d.idempotency_key or "") if d.user_id in known else None for d in left}
