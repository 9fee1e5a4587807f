"""One connection pool per process, transactions with explicit limits, and set-based statements on psycopg2.

Hot paths speak SQL through the driver (UNNEST, ANY, COPY: a tenth of the ORM's price per row); everything else uses
typed SQLAlchemy 2 models. No connection is ever held over a provider call.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import psycopg2
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from core.crash_points import crash_point
from core.settings import Settings, settings
from core.statements import (
    driver_cursor,
    execute,
    flush,
    waiting,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

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
            f" -c idle_in_transaction_session_timeout={timeout * 1000}{_scanning}",
        },
    )
    event.listen(made, "checkin", _note_use)
    event.listen(made, "checkout", _refuse_the_dead)
    event.listen(made, "before_cursor_execute", _send_what_waits)
    return made


_scanning = ""


def never_scan() -> None:
    """Let this process's sessions read through no table that an index leads into.

    For workers, which look rows up by their keys: a prepared statement whose plan was made while a table was nearly
    empty would read through it once millions have come, until its next ANALYZE.
    """
    global _scanning  # noqa: PLW0603  one way for all sessions of a process
    _scanning = " -c enable_seqscan=off"
    dispose()


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


def _send_what_waits(connection: Connection, cursor: Any, *_: object) -> None:
    """Statements that SQLAlchemy sends itself follow what `core.statements` has kept, as its own do."""
    flush(connection, cursor)


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
def autocommitting() -> Iterator[Connection]:
    """A connection on which each statement is a transaction of its own: one round trip where `transaction` takes two."""
    with _checked_out() as connection:
        crash_point("before_commit")
        yield connection
        crash_point("after_commit")


@contextmanager
def transaction() -> Iterator[Connection]:
    """A connection in one transaction: committed at the end, rolled back on any error.

    BEGIN travels with the first statement, COMMIT with what `later` has kept. What was registered by `after_commit`
    runs once the commit stands, and not at all without it.
    """
    actions: list[Callable[[], None]] = []
    with _checked_out() as connection:
        _after_commit[id(connection)] = actions
        kept = waiting[id(connection)] = [_BEGIN]
        try:
            yield connection
            crash_point("before_commit")
            if kept != [_BEGIN]:
                kept.append(b"COMMIT")
                with driver_cursor(connection) as cursor:
                    flush(connection, cursor)
        except BaseException:
            _roll_back(connection)
            raise
        finally:
            del _after_commit[id(connection)], waiting[id(connection)]
    for action in actions:
        action()


_BEGIN = b"BEGIN"


@contextmanager
def _checked_out() -> Iterator[Connection]:
    """A connection whose driver begins nothing by itself. SQLAlchemy believes in a transaction, so that a lost one is
    never replaced by another in the middle.
    """
    with engine().connect() as connection, connection.begin():
        driver: Any = connection.connection.dbapi_connection
        driver.autocommit = True
        try:
            yield connection
        finally:
            if not driver.closed:
                driver.autocommit = False


def _roll_back(connection: Connection) -> None:
    """End the transaction, if it has begun; a connection that can't be told so is thrown away."""
    kept = waiting[id(connection)]
    begun = kept[:1] != [_BEGIN]
    kept.clear()
    if begun and not connection.invalidated:
        try:
            execute(connection, "ROLLBACK")
        except psycopg2.Error:
            connection.invalidate()


_after_commit: dict[int, list[Callable[[], None]]] = {}


def after_commit(connection: Connection, action: Callable[[], None]) -> None:
    """Run `action` after the transaction of `transaction()` has committed; at once for any other connection's."""
    actions = _after_commit.get(id(connection))
    if actions is None:
        action()
    else:
        actions.append(action)


@contextmanager
def session() -> "Iterator[Session]":
    """An ORM session in one transaction, for doors where speed is no matter (the ORM is a tenth of a worker's start)."""
    from sqlalchemy.orm import Session

    with Session(engine()) as orm, orm.begin():
        yield orm


DATABASE_AWAY = (DBAPIError, psycopg2.OperationalError, psycopg2.InterfaceError)
"""What a lost or refused database connection raises, through SQLAlchemy or through the driver."""
