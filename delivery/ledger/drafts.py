"""What is accepted: new notifications, one row per idempotency key for ever."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from core.sealing import SealedBytes
from core.statements import Prepared, from_records, rows
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
    " ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING id",
)


def known_users(connection: Connection, user_ids: Collection[str]) -> set[str]:
    """Those of `user_ids` that exist and are not erased."""
    found = rows(
        connection, "SELECT id FROM users WHERE id = ANY(%s) AND erased_at IS NULL", (list(user_ids),)
    )
    return {user_id for (user_id,) in found}


def insert(
    connection: Connection, drafts: Sequence[Draft], *, relay_after: float
) -> dict[UUID, tuple[UUID, bytes]]:
    """Insert all; draft id → (id, content hash) of the row that stands for it, an older one where the key was known.

    Drafts of users that don't exist, or are erased, are absent from the answer. A writer that meets another's
    uncommitted key waits for that commit and then finds its row.
    """
    if not drafts:
        return {}
    in_order = sorted(drafts, key=lambda d: d.idempotency_key or "")  # writers of the same keys never cross
    inserted = from_records(connection, _INSERT, in_order, relay_after)
    new = {row[0] for row in inserted}
    result = {d.id: (d.id, d.content_hash) for d in drafts if d.id in new}
    left = [d for d in drafts if d.id not in new]
    if left:
        known = known_users(connection, {d.user_id for d in left})
        older = rows(
            connection,
            "SELECT idempotency_key, id, content_hash FROM notifications WHERE idempotency_key = ANY(%s)",
            ([d.idempotency_key for d in left if d.idempotency_key is not None],),
        )
        by_key = {key: (notification_id, bytes(digest)) for key, notification_id, digest in older}
        result |= {
            d.id: by_key[d.idempotency_key]
            for d in left
            if d.user_id in known and d.idempotency_key is not None
        }
    return result
