"""The consent ledger (append-only) and the addresses that nobody may send to."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, Sealed, created_column, id_column
from core.sealing import SealedBytes


class Consent(Base):
    """One grant or withdrawal with its evidence; a trigger refuses every change, the latest row is the state."""

    __tablename__ = "consents"
    __table_args__ = (
        Index("ix_consents_current", "user_id", "channel", "purpose", text("at DESC"), text("id DESC")),
    )

    id: Mapped[UUID] = id_column()
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    channel: Mapped[str]
    purpose: Mapped[str]
    action: Mapped[str]
    level: Mapped[str] = mapped_column(server_default="none")
    lawful_basis: Mapped[str] = mapped_column(server_default="consent")
    confirmed: Mapped[bool] = mapped_column(server_default=text("true"))
    wording_hash: Mapped[str] = mapped_column(server_default="")
    wording_version: Mapped[str] = mapped_column(server_default="")
    method: Mapped[str]
    source: Mapped[str] = mapped_column(server_default="")
    ip_sealed: Mapped[SealedBytes | None] = mapped_column(Sealed)
    agent_sealed: Mapped[SealedBytes | None] = mapped_column(Sealed)
    actor: Mapped[str] = mapped_column(server_default="user")
    at: Mapped[datetime] = created_column()


class PendingWithdrawal(Base):
    """A withdrawal that already stops every new claim and becomes the ledger row `id` once nothing is under way.

    A message that was handed to its provider before must not be found to be sent after the ledger's row.
    """

    __tablename__ = "pending_withdrawals"
    __table_args__ = (UniqueConstraint("user_id", "channel", "purpose"),)

    id: Mapped[UUID] = id_column()
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    channel: Mapped[str]
    purpose: Mapped[str]
    wording_hash: Mapped[str] = mapped_column(server_default="")
    wording_version: Mapped[str] = mapped_column(server_default="")
    method: Mapped[str]
    source: Mapped[str] = mapped_column(server_default="")
    ip_sealed: Mapped[SealedBytes | None] = mapped_column(Sealed)
    agent_sealed: Mapped[SealedBytes | None] = mapped_column(Sealed)
    actor: Mapped[str] = mapped_column(server_default="user")
    held_at: Mapped[datetime] = created_column()


class Suppression(Base):
    """An address that must not be sent to, known only by its blind index, so that it survives an erasure."""

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("channel", "address_index"),)

    id: Mapped[UUID] = id_column()
    channel: Mapped[str]
    address_index: Mapped[bytes]
    reason: Mapped[str]
    source: Mapped[str] = mapped_column(server_default="")
    provider: Mapped[str] = mapped_column(server_default="")
    note: Mapped[str] = mapped_column(server_default="")
    score: Mapped[float] = mapped_column(server_default=text("1"))
    at: Mapped[datetime] = created_column()
    until: Mapped[datetime | None]
