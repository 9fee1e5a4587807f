"""What batches remember between runs: enrolments, lessons, wishes for reminders, campaigns; and what careers are read from.

Who got what is not here: that is the notification under its period key.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ARRAY, ForeignKey, Index, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, created_column
from core.models.finance import Amount

_NO_TEXTS = text("'{}'::text[]")


class Enrolment(Base):
    """A person on their way through a sequence. `step` counts the steps behind them; `run` grows when they re-enter."""

    __tablename__ = "enrolments"
    __table_args__ = (
        Index("ix_enrolments_next", "sequence", "next_at", postgresql_where=text("state = 'active'")),
    )

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[str] = mapped_column(primary_key=True)
    run: Mapped[int] = mapped_column(SmallInteger, primary_key=True, server_default=text("1"))
    state: Mapped[str] = mapped_column(server_default="active")
    left_because: Mapped[str] = mapped_column(server_default="")
    step: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    next_at: Mapped[datetime]
    last_step_on: Mapped[date | None]
    enrolled_at: Mapped[datetime] = created_column()
    updated_at: Mapped[datetime] = created_column()


class Lesson(Base):
    """A topic that a person was sent: how often, when it is due again, and when they finished it."""

    __tablename__ = "lessons"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    topic: Mapped[str] = mapped_column(primary_key=True)
    times: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    last_key: Mapped[str]
    last_on: Mapped[date]
    due_on: Mapped[date]
    finished_at: Mapped[datetime | None]


class ReminderWish(Base):
    """On which days before a bill is due a person wants to hear of it (0 is the day itself)."""

    __tablename__ = "reminder_wishes"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    lead_days: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))


class JobPosting(Base):
    """An open position; imported by `mingus import-jobs`. Salaries per year in `currency`."""

    __tablename__ = "job_postings"
    __table_args__ = (Index("ix_job_postings_role", "role", "posted_on"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    country: Mapped[str]
    posted_on: Mapped[date]
    salary_low: Mapped[Decimal | None] = mapped_column(Amount)
    salary_high: Mapped[Decimal | None] = mapped_column(Amount)
    currency: Mapped[str] = mapped_column(server_default="USD")
    skills: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=_NO_TEXTS)
    imported_at: Mapped[datetime] = created_column()


class Career(Base):
    """Where a person stands and what they want: roles as in the postings, salary per year."""

    __tablename__ = "careers"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str]
    wanted_role: Mapped[str]
    salary: Mapped[Decimal | None] = mapped_column(Amount)
    skills: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=_NO_TEXTS)
    updated_at: Mapped[datetime] = created_column()


class Campaign(Base):
    """A batch of its own name: what was asked for, and whether it may go on (running, paused, cancelled, done)."""

    __tablename__ = "campaigns"

    name: Mapped[str] = mapped_column(primary_key=True)
    message_type: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="running")
    because: Mapped[str] = mapped_column(server_default="")
    plan: Mapped[dict[str, Any]]
    started_at: Mapped[datetime] = created_column()
    updated_at: Mapped[datetime] = created_column()
