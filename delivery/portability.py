"""All that is known of one person, opened, for the person: access and portability (GDPR 15 and 20)."""

from typing import Any

import orjson
from sqlalchemy import Connection

from core.database import transaction
from core.errors import UnknownUser
from core.sealing import unseal
from core.statements import rows
from delivery import archive, audit
from delivery.audit import Act
from delivery.erasure import GONE, KEPT
from delivery.people import own_addresses

TABLES: tuple[str, ...] = (*GONE, *(table for table in KEPT if table != "pending_withdrawals"))
"""Those with the person's id; a pending withdrawal stands in the ledger seconds later."""
_SEALED = "_sealed"
_OURS = ("_index", "_hash", "_xid")
"""Endings of columns that say nothing to a person: indexes, fingerprints, transactions."""
_WRITTEN = (
    "SELECT row_to_json(m) FROM inbound_messages m WHERE channel = %s AND address_index = %s ORDER BY at"
)


def about(user_id: str, *, actor: str) -> dict[str, list[dict[str, Any]]]:
    """Table → rows with everything opened, as JSON can hold it; an entry in the audit chain; UnknownUser.

    `reports` are links to the archived ones; `inbound_messages` what was written to us from addresses that are theirs alone.
    """
    with transaction() as connection:
        found = {
            "users": _opened(connection, "users", "SELECT row_to_json(u) FROM users u WHERE id = %s", user_id)
        }
        if not found["users"]:
            raise UnknownUser("user", f"no user {user_id!r}")
        for table in TABLES:
            sql = f"SELECT row_to_json(t) FROM {table} t WHERE user_id = %s"  # noqa: S608  constants of ours
            found[table] = _opened(connection, table, sql, user_id)
        found["inbound_messages"] = [
            row
            for address in own_addresses(connection, user_id)
            for row in _opened(connection, "inbound_messages", _WRITTEN, *address)
        ]
        audit.append(connection, [Act(actor=actor, action="export", subject=f"user:{user_id}")])
    found["reports"] = [{"link": archive.link_to(key)} for key in archive.keys_of(user_id)]
    return found


def _opened(connection: Connection, table: str, sql: str, *given: object) -> list[dict[str, Any]]:
    return [_row(table, row) for (row,) in rows(connection, sql, given)]


def _row(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """A sealed column is sealed to its place and to the id of its row."""
    opened = {}
    for column, kept in row.items():
        name = column.removesuffix(_SEALED)
        if name != column and kept is not None:
            plain = unseal(bytes.fromhex(kept[2:]), place=f"{table}.{name}", row=row["id"])
            opened[name] = orjson.loads(plain) if name == "payload" else plain
        elif not column.endswith(_OURS):
            opened[name] = kept
    return opened
