"""SQL through the driver, on sets, in as few round trips as it can be: a tenth of the ORM's price per row.

What nobody needs an answer of (BEGIN, and what is given to `later`) waits for the next statement, or for COMMIT, and
travels with it. A `Prepared` statement is parsed and planned once per session of PostgreSQL.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import orjson
import psycopg2.extensions
import psycopg2.extras
from sqlalchemy import Connection

from core.ids import read_id

psycopg2.extras.register_uuid()  # type: ignore[no-untyped-call]
psycopg2.extensions.register_type(
    psycopg2.extensions.new_type((2950,), "ID", lambda text, _: None if text is None else read_id(str(text)))
)

Row = tuple[Any, ...]
Parameters = Sequence[Any] | dict[str, Any] | None

waiting: dict[int, list[bytes]] = {}
"""id of a connection in `core.database.transaction` → statements that travel with its next one."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement with the parameters $1, $2 …, for what is run for every message; `name` is unique in the program.

    The plan is made for unknown values: only for statements whose way is the same whatever they are.
    """

    name: str
    sql: str


def rows(connection: Connection, sql: str | Prepared, parameters: Parameters = None) -> list[Row]:
    """All rows of one statement in the driver's own parameter style (%s or %(name)s; a sequence for a prepared one)."""
    with driver_cursor(connection) as cursor:
        _send(connection, cursor, sql, parameters)
        return list(cursor.fetchall()) if cursor.description is not None else []


def execute(connection: Connection, sql: str | Prepared, parameters: Parameters = None) -> int:
    """Run one statement; the number of rows that it touched."""
    with driver_cursor(connection) as cursor:
        _send(connection, cursor, sql, parameters)
        return int(cursor.rowcount)


def later(connection: Connection, sql: str | Prepared, parameters: Parameters = None) -> None:
    """Run one statement with the next one or at the commit; at once outside of `transaction`. Its errors come then."""
    with driver_cursor(connection) as cursor:
        kept = waiting.get(id(connection))
        if kept is None:
            _send(connection, cursor, sql, parameters)
        else:
            kept.append(_text(connection, cursor, sql, parameters))


def from_records(
    connection: Connection, sql: str | Prepared, records: Sequence[Any], *parameters: Any
) -> list[Row]:
    """Run `sql` over `json_to_recordset(%s) AS v (name type, …)`, its first parameter; its rows, none without records.

    Records are dataclasses or dicts. A fifth of the client's price of a VALUES list and less for the server, because
    nothing is quoted cell by cell (docs/decisions/0020-speed.md).
    """
    return rows(connection, sql, (as_records(records), *parameters)) if records else []


def insert_rows(
    connection: Connection, sql: str, values: Sequence[Sequence[Any]], *, template: str | None = None
) -> list[Row]:
    """`INSERT … VALUES %s` with all rows in one statement per 1,000; the RETURNING rows if any."""
    with driver_cursor(connection) as cursor:
        flush(connection, cursor)
        found: list[Row] = psycopg2.extras.execute_values(
            cursor, sql, values, template=template, page_size=1000, fetch="RETURNING" in sql
        )
        return found or []


@contextmanager
def driver_cursor(connection: Connection) -> Iterator[Any]:
    """The driver's cursor; a connection that is lost under it is thrown away. `flush` before speaking to it directly."""
    cursor = connection.connection.cursor()
    try:
        yield cursor
    except psycopg2.Error as error:
        if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
            connection.invalidate()
        raise
    finally:
        cursor.close()


def flush(connection: Connection, cursor: Any) -> None:
    """Send what has waited, if anything has."""
    if kept := waiting.get(id(connection)):
        text = b";".join(kept)
        kept.clear()
        cursor.execute(text)


def _send(connection: Connection, cursor: Any, sql: str | Prepared, parameters: Parameters) -> None:
    text = _text(connection, cursor, sql, parameters)
    if kept := waiting.get(id(connection)):
        text = b";".join([*kept, text])
        kept.clear()
    cursor.execute(text)


def _text(connection: Connection, cursor: Any, sql: str | Prepared, parameters: Parameters) -> bytes:
    """The statement with its parameters, as it is sent."""
    if isinstance(sql, Prepared):
        _prepare(connection, cursor, sql)
        sql = f"EXECUTE {sql.name} ({', '.join(['%s'] * len(parameters or ()))})"
    text: bytes = cursor.mogrify(sql, parameters)
    return text


def _prepare(connection: Connection, cursor: Any, statement: Prepared) -> None:
    """Once per session, whether its transaction comes to a commit or not."""
    known: set[str] = connection.info.setdefault("prepared", set())
    if statement.name not in known:
        _send(connection, cursor, f"PREPARE {statement.name} AS {statement.sql}", None)
        known.add(statement.name)


def as_records(records: Sequence[Any]) -> str:
    """Records as the JSON text that `json_to_recordset` takes."""
    return orjson.dumps(records, default=_in_json).decode()


def shared(values: Iterable[Any]) -> tuple[list[int], str]:
    """What many records have in common, sent once: the place of each one's value (a dataclass object, told apart by its
    identity), and the different ones as records with their `place`.
    """
    places: dict[int, int] = {}
    records: list[dict[str, Any]] = []
    found = []
    for each in values:
        place = places.get(id(each))
        if place is None:
            place = places[id(each)] = len(records)
            records.append({"place": place, **{one.name: getattr(each, one.name) for one in fields(each)}})
        found.append(place)
    return found, as_records(records)


def as_json(value: Any) -> str:
    """JSON text for a jsonb parameter."""
    return orjson.dumps(value).decode()


def _in_json(value: Any) -> str:
    """What JSON has no word for, as PostgreSQL reads it."""
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"no column takes a {type(value).__name__}")
