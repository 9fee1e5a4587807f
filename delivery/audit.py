"""What somebody did to the system, each entry keyed and hashed over the one before: a gap or change shows.

The hash is an HMAC under MINGUS_INDEX_KEY: who can write to the table but does not hold the key can't mend the chain.
Ids and numbers only, never personal data: the chain outlives an erasure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from core.clock import utc_now
from core.crypto import keyring
from core.statements import execute, insert_rows, rows

FIRST = b"\x00" * 32
_PAGE = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something done: `actor` did `action` to `subject`."""

    actor: str
    action: str
    subject: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verified:
    """How many entries were read, and the `seq` of the first that does not fit to the one before; None when all do."""

    entries: int
    broken_at: int | None
    last_hash: bytes


def append(connection: Connection, acts: Sequence[Act]) -> None:
    """Add acts to the chain in the caller's transaction; other writers wait for its end."""
    if not acts:
        return
    execute(connection, "SELECT pg_advisory_xact_lock(hashtext('mingus.audit'))")
    last = rows(connection, "SELECT entry_hash FROM audit_entries ORDER BY seq DESC LIMIT 1")
    previous = bytes(last[0][0]) if last else FIRST
    at = utc_now()
    values = []
    for act in acts:
        details = orjson.dumps(dict(act.details), option=orjson.OPT_SORT_KEYS, default=str).decode()
        entry = _hash(previous, at, (act.actor, act.action, act.subject, details))
        values.append((at, act.actor, act.action, act.subject, details, previous, entry))
        previous = entry
    insert_rows(
        connection,
        "INSERT INTO audit_entries (at, actor, action, subject, details, previous_hash, entry_hash) VALUES %s",
        values,
    )


def verify(connection: Connection) -> Verified:
    """Walk the whole chain. A cut-off end shows only against a `last_hash` that was kept elsewhere."""
    previous, seq, count = FIRST, 0, 0
    while found := rows(
        connection,
        "SELECT seq, at, actor, action, subject, details, previous_hash, entry_hash FROM audit_entries"
        " WHERE seq > %s ORDER BY seq LIMIT %s",
        (seq, _PAGE),
    ):
        for seq, at, actor, action, subject, details, said_previous, said in found:
            expected = _hash(previous, at, (actor, action, subject, details))
            if bytes(said_previous) != previous or bytes(said) != expected:
                return Verified(count, seq, previous)
            previous = expected
            count += 1
    return Verified(count, None, previous)


def _hash(previous: bytes, at: datetime, told_of: tuple[str, str, str, str]) -> bytes:
    told = orjson.dumps([previous.hex(), int(at.timestamp() * 1_000_000), *told_of])
    return keyring().blind_index(told.decode(), purpose="audit")
