"""Writing the consent ledger: grants and withdrawals with their evidence."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from core.crypto import content_hash
from core.database import insert_rows
from core.ids import new_id
from core.models import seal
from core.vocabulary import Channel, ConsentLevel, LawfulBasis, Purpose


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


def record(connection: Connection, entries: Sequence[ConsentEntry]) -> None:
    """Append to the ledger; in force for every claim that starts after the commit."""
    insert_rows(
        connection,
        "INSERT INTO consents (id, user_id, channel, purpose, action, level, lawful_basis, confirmed, wording_hash,"
        " wording_version, method, source, ip_sealed, agent_sealed, actor, at) VALUES %s",
        [
            (
                e.id, e.user_id, e.channel, e.purpose, "grant" if e.granted else "withdraw", e.level, e.lawful_basis,
                e.confirmed, content_hash(e.wording.encode()).hex() if e.wording else "", e.wording_version, e.method,
                e.source, seal(e.ip, place="consents.ip", row=e.id) if e.ip else None,
                seal(e.agent, place="consents.agent", row=e.id) if e.agent else None, e.actor, e.at,
            )
            for e in entries
        ],
        template="(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, COALESCE(%s, now()))",
    )  # fmt: skip
