"""When people are there: their active hours, the curves learnt from them, and why each send got its time."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, ForeignKey, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, created_column


class PersonHour(Base):
    """Half an hour (UTC) in which a person first opened or clicked so many messages of one channel themselves."""

    __tablename__ = "person_hours"

    user_id: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    opens: Mapped[int]
    clicks: Mapped[int]


class SendTime(Base):
    """When a person is there on one channel: 24 ten-thousandths by local hour, and the best hours, best first."""

    __tablename__ = "send_times"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    curve: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    best_hours: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    events: Mapped[float]
    updated_at: Mapped[datetime] = created_column()


class SendTimeFit(Base):
    """What one fit of a channel learnt of everybody: the mixture, its strength, and whether it may be used."""

    __tablename__ = "send_time_fits"

    channel: Mapped[str] = mapped_column(primary_key=True)
    fitted_at: Mapped[datetime] = mapped_column(primary_key=True)
    people: Mapped[int]
    strength: Mapped[float]
    rhythms: Mapped[dict[str, Any]]
    personalise: Mapped[bool]
    uplift: Mapped[dict[str, Any] | None]


class SendChoice(Base):
    """Why a send (by its idempotency key) got its time, with the probability of that time: the uplift's raw data.

    `took_model` and `took_default`: whether it is the time that the model, or sending at once, would have chosen.
    """

    __tablename__ = "send_choices"
    __table_args__ = (Index("ix_send_choices_chosen_at", "chosen_at"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    channel: Mapped[str]
    message_type: Mapped[str]
    arm: Mapped[str]
    reason: Mapped[str]
    propensity: Mapped[float]
    took_model: Mapped[bool]
    took_default: Mapped[bool]
    deliver_after: Mapped[datetime]
    chosen_at: Mapped[datetime] = created_column()
