import socket

import pytest
import pytest_socket

from core.database import transaction
from core.statements import rows


@pytest.mark.parametrize("who", ["Ada", "Grace", "Edsger"])
def test_nobody_sees_what_another_test_has_committed(who, database, redis):
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM users") == [(0,)]
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS seen (who text)")
        assert rows(connection, "SELECT who FROM seen") == []
        connection.exec_driver_sql("INSERT INTO seen VALUES (%s)", (who,))
    assert redis.keys() == []
    redis.set("seen", who)


def test_the_schema_is_the_migrations_own(database):
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM alembic_version") == [(1,)]


@pytest.mark.parametrize("who", ["Ada", "Grace"])
def test_a_rolled_back_connection_leaves_nothing(who, connection):
    assert rows(connection, "SELECT count(*) FROM users WHERE id = %s", (who,)) == [(0,)]
    connection.exec_driver_sql("CREATE TABLE rolled_back (who text)")


def test_no_test_leaves_this_machine():
    with pytest.raises((pytest_socket.SocketConnectBlockedError, UserWarning), match=r"192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
