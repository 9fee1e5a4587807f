"""One connection pool per process, transactions with explicit limits, and set-based statements on psycopg2.

Hot paths speak SQL through the driver (UNNEST, ANY, COPY: a tenth of the ORM's price per row); everything else uses
typed SQLAlchemy 2 models. No connection is ever held over a provider call.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import psycopg2.extensions
import psycopg2.extras
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from core.crash_points import crash_point
from core.ids import read_id
from core.settings import Settings, settings

psycopg2.extras.register_uuid()  # type: ignore[no-untyped-call]
psycopg2.extensions.register_type(
    psycopg2.extensions.new_type((2950,), "ID", lambda text, _: None if text is None else read_id(str(text)))
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Row = tuple[Any, ...]

_engine: tuple[int, Engine] | None = None


def make_engine(config: Settings) -> Engine:
    """An engine with the settings' pool, a statement time limit, and TCP keep-alives, times in UTC."""
    url = config.database_url.get_secret_value().replace("postgres://", "postgresql://", 1)
    url = url.replace("postgresql://", "postgresql+psycopg2://", 1)
    timeout = config.database_timeout_seconds
    made = create_engine(
        url,
        pool_size=config.database_pool_size,
        max_overflow=config.database_pool_overflow,
        pool_timeout=timeout,
        pool_recycle=1800,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "connect_timeout": 5,
            "application_name": "mingus",
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": timeout * 1000,  # a host that vanished in the middle of a statement
            "options": f"-c timezone=UTC -c statement_timeout={timeout * 1000}"
            f" -c idle_in_transaction_session_timeout={timeout * 1000}",
        },
    )
    event.listen(made, "checkin", _note_use)
    event.listen(made, "checkout", _refuse_the_dead)
    return made


UNASKED_SECONDS = 1.0
"""A connection that was used so lately is taken to live: asking it first would be one round trip in five."""


def _note_use(_: object, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _refuse_the_dead(found: Any, record: ConnectionPoolEntry, _: object) -> None:
    """A connection that has idled is asked whether it lives; if not, the pool makes all of them anew."""
    used_at = record.info.get("used_at")
    if used_at is None or time.monotonic() - used_at < UNASKED_SECONDS:
        return
    try:
        with found.cursor() as cursor:
            cursor.execute("SELECT 1")
        found.rollback()
    except psycopg2.Error as error:
        raise InvalidatePoolError("the connection is gone") from error


def engine() -> Engine:
    """This process's engine; made anew after a fork, because a connection can't be shared."""
    global _engine  # noqa: PLW0603  one pool per process is the point
    if _engine is None or _engine[0] != os.getpid():
        _engine = (os.getpid(), make_engine(settings()))
    return _engine[1]


def dispose() -> None:
    """Close this process's pool (at shutdown, and between tests)."""
    global _engine  # noqa: PLW0603
    if _engine is not None and _engine[0] == os.getpid():
        _engine[1].dispose()
    _engine = None


@contextmanager
def transaction() -> Iterator[Connection]:
    """A connection in one transaction: committed at the end, rolled back on any error.

    What was registered by `after_commit` runs once the commit stands, and not at all without it.
    """
    with engine().connect() as connection:
        waiting: list[Callable[[], None]] = []
        _after_commit[id(connection)] = waiting
        try:
            with connection.begin():
                yield connection
                crash_point("before_commit")
            crash_point("after_commit")
        finally:
            del _after_commit[id(connection)]
    for action in waiting:
        action()


_after_commit: dict[int, list[Callable[[], None]]] = {}


def after_commit(connection: Connection, action: Callable[[], None]) -> None:
    """Run `action` after the transaction of `transaction()` has committed; at once for any other connection's."""
    waiting = _after_commit.get(id(connection))
    if waiting is None:
        action()
    else:
        waiting.append(action)


@contextmanager
def session() -> "Iterator[Session]":
    """An ORM session in one transaction, for doors where speed is no matter (the ORM is a tenth of a worker's start)."""
    from sqlalchemy.orm import Session

    with Session(engine()) as orm, orm.begin():
        yield orm


def rows(
    connection: Connection, sql: str, parameters: Sequence[Any] | dict[str, Any] | None = None
) -> list[Row]:
    """All rows of one statement in the driver's own parameter style (%s or %(name)s)."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall()) if cursor.description is not None else []
    except psycopg2.Error as error:
        if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
            connection.invalidate()
        raise
    finally:
        cursor.close()


def execute(
    connection: Connection, sql: str, parameters: Sequence[Any] | dict[str, Any] | None = None
) -> int:
    """Run one statement; the number of rows that it touched."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)
    except psycopg2.Error as error:
        if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
            connection.invalidate()
        raise
    finally:
        cursor.close()


def insert_rows(
    connection: Connection, sql: str, values: Sequence[Sequence[Any]], *, template: str | None = None
) -> list[Row]:
    """`INSERT … VALUES %s` with all rows in one statement per 1,000; the RETURNING rows if any."""
    cursor = connection.connection.cursor()
    try:
        found: list[Row] = psycopg2.extras.execute_values(
            cursor, sql, values, template=template, page_size=1000, fetch="RETURNING" in sql
        )
        return found or []
    finally:
        cursor.close()


def from_records(connection: Connection, sql: str, records: Sequence[Any], **parameters: Any) -> list[Row]:
    """Run `sql` over `json_to_recordset(%(records)s) AS v (name type, …)`; its rows, none without records.

    Records are dataclasses or dicts. A fifth of the client's price of a VALUES list and less for the server, because
    nothing is quoted cell by cell (docs/decisions/0020-speed.md).
    """
    if not records:
        return []
    text = orjson.dumps(records, default=_in_json).decode()
    return rows(connection, sql, {"records": text, **parameters})


def _in_json(value: Any) -> str:
    """What JSON has no word for, as PostgreSQL reads it."""
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"no column takes a {type(value).__name__}")


def as_json(value: Any) -> str:
    """JSON text for a jsonb parameter."""
    return orjson.dumps(value).decode()


DATABASE_AWAY = (DBAPIError, psycopg2.OperationalError, psycopg2.InterfaceError)
"""What a lost or refused database connection raises, through SQLAlchemy or through the driver."""
