"""Transactions whose BEGIN and COMMIT travel with other statements, on a real server."""

from collections.abc import Callable, Iterator

import psycopg2
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import PendingRollbackError

from core.database import after_commit, autocommitting, transaction
from core.statements import Prepared, execute, insert_rows, later, rows

NOTES = Prepared("test_notes", "SELECT note FROM notes WHERE id >= $1 ORDER BY id")


@pytest.fixture(autouse=True)
def _notes(database: str) -> Iterator[None]:
    with transaction() as connection:
        execute(connection, "CREATE TABLE notes (id int PRIMARY KEY, note text)")
    yield
    with transaction() as connection:
        execute(connection, "DROP TABLE notes")


def notes() -> list[str]:
    with autocommitting() as connection:
        return [note for (note,) in rows(connection, "SELECT note FROM notes ORDER BY id")]


def write(connection: Connection, number: int, note: str = "a") -> None:
    execute(connection, "INSERT INTO notes VALUES (%s, %s)", (number, note))


def test_what_is_kept_for_later_is_there_after_the_commit_and_seen_by_the_next_statement() -> None:
    with transaction() as connection:
        later(connection, "INSERT INTO notes VALUES (1, '100 %')")
        assert rows(connection, "SELECT note FROM notes") == [("100 %",)]
        later(connection, "INSERT INTO notes VALUES (%s, %s)", (2, "50 %"))
    assert notes() == ["100 %", "50 %"]


def test_a_statement_that_fails_at_the_commit_takes_everything_with_it_and_is_raised() -> None:
    told: list[str] = []

    def doubled() -> None:
        with transaction() as connection:
            after_commit(connection, lambda: told.append("committed"))
            write(connection, 1)
            later(connection, "INSERT INTO notes VALUES (1, 'again')")

    with pytest.raises(psycopg2.errors.UniqueViolation):
        doubled()
    assert notes() == []
    assert told == []


WAYS: dict[str, Callable[[Connection], object]] = {
    "a statement": lambda connection: write(connection, 1),
    "one kept for later": lambda connection: later(connection, "INSERT INTO notes VALUES (1, 'a')"),
    "many rows": lambda connection: insert_rows(
        connection, "INSERT INTO notes VALUES %s", [(number, "a") for number in range(1500)]
    ),
    "SQLAlchemy's own": lambda connection: connection.execute(text("INSERT INTO notes VALUES (1, 'a')")),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_error_in_the_block_rolls_back_and_leaves_a_clean_connection(way: str) -> None:
    def broken() -> None:
        with transaction() as connection:
            WAYS[way](connection)
            raise ZeroDivisionError

    for _ in range(20):  # more often than the pool has connections
        with pytest.raises(ZeroDivisionError):
            broken()
    assert notes() == []
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM notes") == [(0,)]
        write(connection, 1)
    assert notes() == ["a"]


def test_a_prepared_statement_outlives_the_transaction_that_it_was_first_used_in() -> None:
    def broken() -> None:
        with transaction() as connection:
            write(connection, 1)
            assert rows(connection, NOTES, (0,)) == [("a",)]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    for _ in range(8):  # PostgreSQL may change to a plan for any value after five
        with transaction() as connection:
            assert rows(connection, NOTES, (0,)) == []
    with autocommitting() as connection:
        write(connection, 2, "b")
        assert rows(connection, NOTES, (2,)) == [("b",)]


def test_without_a_transaction_each_statement_stands_for_itself() -> None:
    def doubled() -> None:
        with autocommitting() as connection:
            write(connection, 1)
            later(connection, "INSERT INTO notes VALUES (2, 'at once')")
            write(connection, 1)

    with pytest.raises(psycopg2.errors.UniqueViolation):
        doubled()
    assert notes() == ["a", "at once"]


def test_a_connection_that_is_lost_under_a_transaction_is_not_replaced_in_the_middle() -> None:
    def cut_off() -> None:
        with transaction() as connection:
            write(connection, 1)
            ((session,),) = rows(connection, "SELECT pg_backend_pid()")
            with autocommitting() as other:
                execute(other, "SELECT pg_terminate_backend(%s)", (session,))
            with pytest.raises(psycopg2.OperationalError):
                write(connection, 2)
            write(connection, 3)

    with pytest.raises(PendingRollbackError):
        cut_off()
    assert notes() == []
