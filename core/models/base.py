"""The declarative base, the naming of constraints, and the column types that more than one aggregate uses."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, MetaData, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, UserDefinedType

from core.ids import new_id
from core.sealing import SealedBytes


class Base(DeclarativeBase):
    """All tables; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads a plain class attribute
        datetime: DateTime(timezone=True),
        str: Text(),
        dict[str, Any]: JSONB(),
    }


class Sealed(TypeDecorator[SealedBytes]):
    """A column of AES-256-GCM envelopes; plain text is refused at the door, so it can't slip in."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: SealedBytes | None, dialect: Any) -> bytes | None:  # noqa: ARG002  SQLAlchemy names it
        if value is not None and not isinstance(value, SealedBytes):
            raise TypeError("a sealed column takes what `seal` made, never plain text")
        return value

    def process_result_value(self, value: Any, dialect: Any) -> SealedBytes | None:  # noqa: ARG002  SQLAlchemy names it
        return None if value is None else SealedBytes(value)


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id: which transaction wrote a row, for rollups that miss nothing."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "XID8"


def id_column() -> Mapped[UUID]:
    """A UUIDv7 primary key, made by the application so that sealed values can be bound to it before the insert."""
    return mapped_column(primary_key=True, default=new_id)


def created_column() -> Mapped[datetime]:
    """When the row was written, by the database's clock."""
    return mapped_column(server_default=text("now()"))
