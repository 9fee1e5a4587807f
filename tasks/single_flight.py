"""One at a time in the whole cluster: housekeeping that several workers may be asked for at once."""

import functools
from collections.abc import Callable

from sqlalchemy import Connection

from core.database import DATABASE_AWAY, engine


def single_flight(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Let only one process in the cluster run the function at a time; the others return at once.

    The advisory lock lives as long as its connection: when that is cut, another process may begin while this one
    ends. What runs under it is safe then too (rows are taken with SKIP LOCKED); the lock only saves work.
    """

    def decorate(function: Callable[[], None]) -> Callable[[], None]:
        @functools.wraps(function)
        def alone() -> None:
            with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                key = f"mingus.{name}"
                if not connection.exec_driver_sql(
                    "SELECT pg_try_advisory_lock(hashtext(%s))", (key,)
                ).scalar():
                    return
                try:
                    function()
                finally:
                    _unlock(connection, key)

        return alone

    return decorate


def _unlock(connection: Connection, key: str) -> None:
    """A connection that can't unlock must not go back to the pool with the lock in its hands."""
    try:
        connection.exec_driver_sql("SELECT pg_advisory_unlock(hashtext(%s))", (key,))
    except DATABASE_AWAY:
        connection.invalidate()
