"""Notifications, the attempts to send them, and the dead letters."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Numeric, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, Sealed, created_column, id_column
from core.sealing import SealedBytes

Money = Numeric(12, 6)


class Notification(Base):
    """One message type for one user. `delivery.ledger` is the only writer of its state.

    `deliver_after` is when it is due; `publish_after` when the relay should carry its id to the broker (again);
    `fence` grows with every claim, so that a stalled worker's late word is recognised; `claims` counts claims in a
    row that ended without a word.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_relay", "lane", "publish_after", postgresql_where=text("state = 'accepted'")),
        Index("ix_notifications_leases", "lease_until", postgresql_where=text("state = 'claimed'")),
        Index("ix_notifications_unknown", "updated_at", postgresql_where=text("state = 'unknown'")),
        Index("ix_notifications_unconfirmed", "updated_at", postgresql_where=text("state = 'sent'")),
        Index("ix_notifications_user", "user_id", "created_at"),
        Index("ix_notifications_sent", "user_id", "sent_at", postgresql_where=text("sent_at IS NOT NULL")),
        Index("ix_notifications_campaign", "campaign", postgresql_where=text("campaign IS NOT NULL")),
        Index(
            "uq_notifications_idempotency_key", "idempotency_key", unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
        {"postgresql_with": {"fillfactor": "70"}},
    )  # fmt: skip

    id: Mapped[UUID] = id_column()
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    message_type: Mapped[str]
    lane: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="accepted")
    reason: Mapped[str] = mapped_column(server_default="")
    payload_sealed: Mapped[SealedBytes] = mapped_column(Sealed)
    content_hash: Mapped[bytes]
    idempotency_key: Mapped[str | None]
    campaign: Mapped[str | None]
    deliver_after: Mapped[datetime]
    publish_after: Mapped[datetime]
    expires_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    claims: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    tries: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    channel: Mapped[str | None]
    provider: Mapped[str | None]
    evidence: Mapped[dict[str, Any] | None]
    possible_duplicate: Mapped[bool] = mapped_column(server_default=text("false"))
    cost: Mapped[Decimal] = mapped_column(Money, server_default=text("0"))
    created_at: Mapped[datetime] = created_column()
    updated_at: Mapped[datetime] = created_column()
    sent_at: Mapped[datetime | None]
    final_at: Mapped[datetime | None]


class Attempt(Base):
    """One try of one route: opened (committed) before the provider is called, closed after.

    `closes` says what this attempt ruled out for its notification: nothing, only itself (an "attempt" that did not
    arrive and is made again), its "route", or its whole "channel".
    """

    __tablename__ = "attempts"
    __table_args__ = (
        Index("ix_attempts_notification", "notification_id"),
        Index("ix_attempts_reference", "provider", "reference", postgresql_where=text("reference <> ''")),
        Index("ix_attempts_key", "key"),
    )

    id: Mapped[UUID] = id_column()
    notification_id: Mapped[UUID] = mapped_column(ForeignKey("notifications.id", ondelete="CASCADE"))
    fence: Mapped[int]
    number: Mapped[int] = mapped_column(SmallInteger)
    channel: Mapped[str]
    provider: Mapped[str]
    contact_point_id: Mapped[UUID]
    key: Mapped[str]
    position: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    template: Mapped[str] = mapped_column(server_default="")
    rendered_sealed: Mapped[SealedBytes | None] = mapped_column(Sealed)
    opened_at: Mapped[datetime] = created_column()
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    reference: Mapped[str] = mapped_column(server_default="")
    code: Mapped[str] = mapped_column(server_default="")
    error_class: Mapped[str] = mapped_column(server_default="")
    detail: Mapped[str] = mapped_column(server_default="")
    closes: Mapped[str] = mapped_column(server_default="")
    units: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    cost_estimate: Mapped[Decimal] = mapped_column(Money, server_default=text("0"))
    cost: Mapped[Decimal | None] = mapped_column(Money)
    resolved_by: Mapped[str] = mapped_column(server_default="")


class DeadLetter(Base):
    """A notification that needs a person or a rule: why, after how much trying, and what became of it."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        Index("ix_dead_letters_open", "at", postgresql_where=text("settled_at IS NULL")),
        Index("ix_dead_letters_notification", "notification_id"),
    )

    id: Mapped[UUID] = id_column()
    notification_id: Mapped[UUID] = mapped_column(ForeignKey("notifications.id", ondelete="CASCADE"))
    reason: Mapped[str]
    error_class: Mapped[str] = mapped_column(server_default="")
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    trace_reference: Mapped[str] = mapped_column(server_default="")
    at: Mapped[datetime] = created_column()
    settled_at: Mapped[datetime | None]
    settled_as: Mapped[str] = mapped_column(server_default="")
    settled_by: Mapped[str] = mapped_column(server_default="")
