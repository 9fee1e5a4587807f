"""Withdrawing consent so that nothing is sent after it has committed (invariant I4), whatever is under way.

hold ─commit▶ claims and calls under way end ─▶ ledger row in the hold's place ─commit▶ acknowledged

From its commit a hold is read as a withdrawal by every claim that starts. What was claimed before is waited for: first
claims that are not committed yet, then their calls to providers. What takes too long is finished by `complete`, which
runs every second: the hold lasts until then.
"""

import time
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Connection

from core.database import transaction
from core.statements import insert_rows, rows
from delivery import consents
from delivery.catalog import catalog
from delivery.consents import ConsentEntry
from delivery.providers import provider

PATIENCE = 5.0
"""Seconds that a withdrawal waits for what is under way before it is answered as not yet completed."""
POLL = 0.02
AT_ONCE = 500


def withdraw(entries: Sequence[ConsentEntry], *, patience: float = PATIENCE) -> bool:
    """Withdraw; True when the ledger says so and nothing can be sent any more.

    False when a message was still under way after `patience` seconds: no new one is begun, and the ledger follows.
    """
    with transaction() as connection:
        ids = hold(connection, entries)
    return complete(ids, patience=patience) == 0


def hold(connection: Connection, entries: Sequence[ConsentEntry]) -> list[UUID]:
    """Hold all new claims that these withdrawals concern, from the commit on; the ids of the ledger rows to come."""
    if any(entry.granted for entry in entries):
        raise ValueError("a grant is recorded, not held")
    unique = {(e.user_id, e.channel, e.purpose): e for e in entries}
    found = insert_rows(
        connection,
        f"INSERT INTO pending_withdrawals ({consents.WITHDRAWAL_COLUMNS}) VALUES %s"  # noqa: S608  our own constant
        # one that is under way already stands for this one too; the update makes its id come back
        " ON CONFLICT (user_id, channel, purpose) DO UPDATE SET held_at = pending_withdrawals.held_at RETURNING id",
        [consents.withdrawal_row(entry) for _, entry in sorted(unique.items())],
    )
    return [row[0] for row in found]


def complete(ids: Collection[UUID] | None = None, *, patience: float = 0.0) -> int:
    """Enter holds (all without `ids`) in the ledger as soon as nothing is under way for them; how many still wait.

    Takes at most `patience` seconds.
    """
    deadline = time.monotonic() + patience
    with transaction() as connection:
        waiting = _pending(connection, ids)
        claiming = _claiming(connection) if waiting else set()
    while waiting:
        with transaction() as connection:
            claiming &= _claiming(connection) if claiming else set()
            if not claiming:
                consents.enter_pending(connection, waiting - _under_way(connection, waiting))
                waiting = _pending(connection, waiting)
        if not waiting or time.monotonic() >= deadline:
            break
        time.sleep(POLL)
    return len(waiting)


def _pending(connection: Connection, ids: Collection[UUID] | None) -> set[UUID]:
    found = rows(
        connection,
        "SELECT id FROM pending_withdrawals WHERE %(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s::uuid[])"
        " ORDER BY held_at LIMIT %(limit)s",
        {"ids": None if ids is None else [str(each) for each in ids], "limit": AT_ONCE},
    )
    return {row[0] for row in found}


def _claiming(connection: Connection) -> set[str]:
    """Transactions that have written to notifications and not ended: one may be a claim that read the consents
    before a hold, and whose attempts can't be seen yet.
    """
    found = rows(
        connection,
        "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND relation = 'notifications'::regclass AND pid <> pg_backend_pid()",
    )
    return {row[0] for row in found}


def _under_way(connection: Connection, ids: Collection[UUID]) -> set[UUID]:
    """Those holds for which a call to a provider may be made, or repeated, after now."""
    types = [(str(row.purpose), name) for name, row in catalog().items()]
    found = rows(
        connection,
        "SELECT DISTINCT h.id, a.provider, a.closed_at IS NULL AND n.state = 'claimed'"
        " FROM pending_withdrawals h"
        " JOIN unnest(%s::text[], %s::text[]) AS t (purpose, message_type) ON t.purpose = h.purpose"
        " JOIN notifications n ON n.user_id = h.user_id AND n.message_type = t.message_type"
        "  AND n.state IN ('claimed', 'unknown')"
        " JOIN attempts a ON a.notification_id = n.id AND a.channel = h.channel AND a.closes = ''"
        "  AND (a.closed_at IS NULL OR a.outcome = 'unknown')"
        " WHERE h.id = ANY(%s::uuid[])",
        ([purpose for purpose, _ in types], [name for _, name in types], [str(each) for each in ids]),
    )
    # an unknown outcome is called again only where the provider knows the key
    return {hold_id for hold_id, name, is_open in found if is_open or provider(name).idempotent}
