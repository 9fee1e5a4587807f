"""What providers told us: the durable inbox of raw callbacks, and the normalised delivery events."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, Sealed, Xid8, created_column, id_column
from core.models.notifications import Money
from core.sealing import SealedBytes


class Callback(Base):
    """A verified callback, stored before it is answered and processed after; `event_key` dedupes repetitions."""

    __tablename__ = "callbacks"
    __table_args__ = (
        UniqueConstraint("provider", "event_key"),
        Index("ix_callbacks_due", "due_at", postgresql_where=text("processed_at IS NULL")),
    )

    id: Mapped[UUID] = id_column()
    provider: Mapped[str]
    event_key: Mapped[str]
    kind: Mapped[str]
    event_sealed: Mapped[SealedBytes] = mapped_column(Sealed)
    received_at: Mapped[datetime] = created_column()
    due_at: Mapped[datetime] = created_column()
    """When to look at it (again): one that matches nothing yet waits, and must not hold up those behind it."""
    processed_at: Mapped[datetime | None]
    result: Mapped[str] = mapped_column(server_default="")


class DeliveryEvent(Base):
    """One fact about one message, denormalised for analytics, partitioned by month of `at`.

    `ins_xid` is the transaction that wrote the row: incremental rollups follow it and miss nothing.
    """

    __tablename__ = "delivery_events"
    __table_args__ = (
        Index("ix_delivery_events_at", "at", postgresql_using="brin"),
        Index("ix_delivery_events_ins_xid", "ins_xid"),
        Index("ix_delivery_events_notification", "notification_id"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    id: Mapped[UUID] = id_column()
    at: Mapped[datetime] = mapped_column(primary_key=True)
    notification_id: Mapped[UUID | None]
    attempt_id: Mapped[UUID | None]
    user_id: Mapped[str | None]
    channel: Mapped[str]
    provider: Mapped[str]
    message_type: Mapped[str] = mapped_column(server_default="")
    kind: Mapped[str]
    code: Mapped[str] = mapped_column(server_default="")
    error_class: Mapped[str] = mapped_column(server_default="")
    domain: Mapped[str] = mapped_column(server_default="")
    is_machine: Mapped[bool] = mapped_column(server_default=text("false"))
    price: Mapped[Decimal | None] = mapped_column(Money)
    recorded_at: Mapped[datetime] = created_column()
    ins_xid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))


class AuditEntry(Base):
    """What somebody did to the system, each entry hashed over the one before, so that a gap or change shows."""

    __tablename__ = "audit_entries"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = created_column()
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[str] = mapped_column(server_default="{}")
    previous_hash: Mapped[bytes]
    entry_hash: Mapped[bytes]
