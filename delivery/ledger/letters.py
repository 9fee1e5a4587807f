"""Writing dead letters; reading, replaying and discarding them is `delivery.dead_letters`."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from core.ids import new_id
from core.statements import insert_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Why a notification was given up: a static reason, the error's class, and the log entry that tells more."""

    notification_id: UUID
    reason: str
    error_class: str = ""
    attempts: int = 0
    trace_reference: str = ""


def bury(connection: Connection, letters: Sequence[Letter]) -> None:
    """Write the dead letters of notifications that this transaction moves to DEAD."""
    insert_rows(
        connection,
        "INSERT INTO dead_letters (id, notification_id, reason, error_class, attempts, trace_reference) VALUES %s",
        [
            (
                new_id(),
                each.notification_id,
                each.reason,
                each.error_class,
                each.attempts,
                each.trace_reference,
            )
            for each in letters
        ],
    )
