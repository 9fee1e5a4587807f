"""Writing the consent ledger: grants and withdrawals with their evidence."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from core.crypto import content_hash
from core.ids import new_id
from core.sealing import seal
from core.statements import execute, insert_rows, rows
from core.vocabulary import Channel, ConsentLevel, LawfulBasis, Purpose

IP_PLACE = "consents.ip"
AGENT_PLACE = "consents.agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentEntry:
    """One row of the ledger: who allowed or forbade what, and how we can prove it."""

    user_id: str
    channel: Channel
    purpose: Purpose
    granted: bool
    method: str
    level: ConsentLevel = ConsentLevel.NONE
    lawful_basis: LawfulBasis = LawfulBasis.CONSENT
    confirmed: bool = True
    wording: str = ""
    wording_version: str = ""
    source: str = ""
    ip: str = ""
    agent: str = ""
    actor: str = "user"
    at: datetime | None = None
    id: UUID = field(default_factory=new_id)


WITHDRAWAL_COLUMNS = "id, user_id, channel, purpose, wording_hash, wording_version, method, source, ip_sealed, agent_sealed, actor"
"""What a withdrawal and the ledger row that it becomes have in common."""

ENTER_PENDING = (
    "WITH ended AS (DELETE FROM pending_withdrawals WHERE id = ANY(%s::uuid[])"  # noqa: S608  our own constant
    f" RETURNING {WITHDRAWAL_COLUMNS})"
    f" INSERT INTO consents ({WITHDRAWAL_COLUMNS}, action) SELECT {WITHDRAWAL_COLUMNS}, 'withdraw' FROM ended"
)


def record(connection: Connection, entries: Sequence[ConsentEntry]) -> None:
    """Append to the ledger; in force for every claim that starts after the commit.

    A withdrawal of the same consent that is still under way comes before a grant.
    """
    granted = {(e.user_id, e.channel, e.purpose) for e in entries if e.granted}
    if granted:
        enter_pending(connection, _pending_before(connection, granted))
    insert_rows(
        connection,
        f"INSERT INTO consents ({WITHDRAWAL_COLUMNS}, action, level, lawful_basis, confirmed, at) VALUES %s",  # noqa: S608  our own constant
        [
            (
                *withdrawal_row(e), "grant" if e.granted else "withdraw", e.level, e.lawful_basis, e.confirmed, e.at,
            )
            for e in entries
        ],
        template=f"({'%s, ' * 15}COALESCE(%s, now()))",
    )  # fmt: skip


def withdrawal_row(entry: ConsentEntry) -> tuple[object, ...]:
    """The values of `WITHDRAWAL_COLUMNS`, sealed for the ledger's row."""
    return (
        entry.id, entry.user_id, entry.channel, entry.purpose,
        content_hash(entry.wording.encode()).hex() if entry.wording else "", entry.wording_version, entry.method,
        entry.source, seal(entry.ip, place=IP_PLACE, row=entry.id) if entry.ip else None,
        seal(entry.agent, place=AGENT_PLACE, row=entry.id) if entry.agent else None, entry.actor,
    )  # fmt: skip


def enter_pending(connection: Connection, ids: Collection[UUID]) -> None:
    """Move withdrawals that were held (`delivery.opt_out`) to the ledger, as of now."""
    if ids:
        execute(
            connection,
            ENTER_PENDING,
            ([str(each) for each in ids],),
        )


def _pending_before(connection: Connection, keys: Collection[tuple[str, str, str]]) -> set[UUID]:
    users, channels, purposes = zip(*keys, strict=True)
    found = rows(
        connection,
        "SELECT id FROM pending_withdrawals JOIN unnest(%s::text[], %s::text[], %s::text[])"
        " AS k (user_id, channel, purpose) USING (user_id, channel, purpose)",
        (list(users), [str(each) for each in channels], [str(each) for each in purposes]),
    )
    return {row[0] for row in found}
