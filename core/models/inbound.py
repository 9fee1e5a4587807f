"""What people write back to us, with what it was taken for and what a person of ours decided about it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, Sealed, created_column, id_column
from core.sealing import SealedBytes


class InboundMessage(Base):
    """One message from a person; `intent` review waits on the review list until somebody resolves it."""

    __tablename__ = "inbound_messages"
    __table_args__ = (
        UniqueConstraint("provider", "event_key"),
        Index(
            "ix_inbound_messages_review",
            "at",
            postgresql_where=text("intent = 'review' AND reviewed_at IS NULL"),
        ),
        Index("ix_inbound_messages_address", "channel", "address_index", "at"),
    )

    id: Mapped[UUID] = id_column()
    channel: Mapped[str]
    provider: Mapped[str]
    event_key: Mapped[str]
    address_index: Mapped[bytes]
    address_sealed: Mapped[SealedBytes] = mapped_column(Sealed)
    text_sealed: Mapped[SealedBytes] = mapped_column(Sealed)
    intent: Mapped[str]
    matched: Mapped[str] = mapped_column(server_default="")
    at: Mapped[datetime]
    recorded_at: Mapped[datetime] = created_column()
    handled_at: Mapped[datetime | None]
    result: Mapped[str] = mapped_column(server_default="")
    reviewed_at: Mapped[datetime | None]
    reviewed_by: Mapped[str] = mapped_column(server_default="")
