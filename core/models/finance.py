"""The app's own data that batches read: accounts' bills, goals, budgets and transactions."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, created_column, id_column

Amount = Numeric(14, 2)


class Bill(Base):
    """A payment that will be due."""

    __tablename__ = "bills"
    __table_args__ = (Index("ix_bills_due", "due_on", "user_id"),)

    id: Mapped[UUID] = id_column()
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Amount)
    paid: Mapped[Decimal] = mapped_column(Amount, server_default=text("0"))
    due_on: Mapped[date]
    autopay: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = created_column()


class Goal(Base):
    """Something that a person saves for."""

    __tablename__ = "goals"
    __table_args__ = (Index("ix_goals_user", "user_id"),)

    id: Mapped[UUID] = id_column()
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]
    target: Mapped[Decimal] = mapped_column(Amount)
    saved: Mapped[Decimal] = mapped_column(Amount, server_default=text("0"))
    due_on: Mapped[date | None]
    reached_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = created_column()


class Budget(Base):
    """What a person means to spend on a category in a month."""

    __tablename__ = "budgets"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    monthly: Mapped[Decimal] = mapped_column(Amount)


class Transaction(Base):
    """Money that moved: negative amounts are spending, positive ones income."""

    __tablename__ = "transactions"
    __table_args__ = (Index("ix_transactions_user_day", "user_id", "booked_on"),)

    id: Mapped[UUID] = id_column()
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    booked_on: Mapped[date]
    amount: Mapped[Decimal] = mapped_column(Amount)
    category: Mapped[str]
    merchant: Mapped[str] = mapped_column(server_default="")
