"""People and where they can be reached."""

from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, Sealed, created_column, id_column
from core.sealing import SealedBytes


class User(Base):
    """A person of the app; their id is the app's own. Everything that names them is sealed."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True)
    name_sealed: Mapped[SealedBytes | None] = mapped_column(Sealed)
    locale: Mapped[str] = mapped_column(server_default="en_US")
    time_zone: Mapped[str | None]
    country: Mapped[str] = mapped_column(server_default="US")
    state: Mapped[str] = mapped_column(server_default="")
    birthday: Mapped[date | None]
    paused_until: Mapped[datetime | None]
    quiet_from: Mapped[time | None]
    quiet_until: Mapped[time | None]
    joined_at: Mapped[datetime] = created_column()
    last_active_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]


class ContactPoint(Base):
    """One address of a user on one channel; equality search goes by the blind index."""

    __tablename__ = "contact_points"
    __table_args__ = (
        UniqueConstraint("user_id", "channel", "address_index"),
        Index("ix_contact_points_address", "channel", "address_index"),
    )

    id: Mapped[UUID] = id_column()
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    channel: Mapped[str]
    address_sealed: Mapped[SealedBytes] = mapped_column(Sealed)
    address_index: Mapped[bytes]
    country: Mapped[str] = mapped_column(server_default="")
    region: Mapped[str] = mapped_column(server_default="")
    zones: Mapped[str] = mapped_column(server_default="")
    domain: Mapped[str] = mapped_column(server_default="")
    is_primary: Mapped[bool] = mapped_column(server_default=text("true"))
    verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = created_column()


class Preference(Base):
    """A person's wish for one category on one channel."""

    __tablename__ = "preferences"
    __table_args__ = (CheckConstraint("weekly_cap >= 0", name="weekly_cap"),)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    minimum_amount: Mapped[Decimal | None] = mapped_column(Numeric(14, 2))
    paused_until: Mapped[datetime | None]
    digest: Mapped[bool] = mapped_column(server_default=text("false"))
    weekly_cap: Mapped[int | None]
    preferred_from: Mapped[time | None]
    preferred_until: Mapped[time | None]
    updated_at: Mapped[datetime] = created_column()
