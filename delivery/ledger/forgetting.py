"""The words of messages taken out of the ledger; that they were sent, when and on what evidence stays."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from core.sealing import SealedBytes
from core.statements import execute, from_records, rows

FORGOTTEN = b""
"""The content hash of a notification whose payload was replaced: no content has it."""


def with_payload(connection: Connection, user_id: str) -> list[UUID]:
    """The person's notifications whose payload is still there."""
    found = rows(
        connection,
        "SELECT id FROM notifications WHERE user_id = %s AND content_hash <> %s",
        (user_id, FORGOTTEN),
    )
    return [notification_id for (notification_id,) in found]


def replace_payloads(connection: Connection, payloads: Mapping[UUID, SealedBytes]) -> None:
    """Put others in the place of payloads for good."""
    from_records(
        connection,
        "WITH v AS (SELECT * FROM json_to_recordset(%s) AS (id uuid, payload_sealed bytea))"
        " UPDATE notifications n SET payload_sealed = v.payload_sealed, content_hash = %s FROM v WHERE n.id = v.id",
        [{"id": each, "payload_sealed": sealed} for each, sealed in payloads.items()],
        FORGOTTEN,
    )


def forget_calls(connection: Connection, user_id: str, *, settled_before: datetime) -> int:
    """Forget what the calls carried in which the person had a part; how many. One envelope holds a whole call.

    A call that may still be repeated keeps it: one with a member that was opened after `settled_before` and whose
    outcome is not known.
    """
    return execute(
        connection,
        "UPDATE attempts a SET rendered_sealed = NULL WHERE rendered_sealed IS NOT NULL"
        " AND key IN (SELECT p.key FROM notifications n JOIN attempts p ON p.notification_id = n.id"
        "  WHERE n.user_id = %s)"
        " AND NOT EXISTS (SELECT FROM attempts o WHERE o.key = a.key AND o.opened_at > %s"
        "  AND (o.closed_at IS NULL OR o.outcome = 'unknown'))",
        (user_id, settled_before),
    )
