"""Every wait has an end, and a database that is too small for its workers says so at the start."""

import logging
import time

import psycopg2
import pytest

from core import connection_budget
from core.database import DATABASE_AWAY, engine, transaction
from core.ids import new_id
from core.redis import client
from core.statements import rows
from delivery import deliver
from delivery.warm_up import warm_up
from tasks.app import app
from web import app as web_app


@pytest.mark.usefixtures("database")
def test_a_statement_that_does_not_end_is_cut_off(configure):
    from core.database import dispose

    configure(MINGUS_DATABASE_TIMEOUT="1")
    dispose()
    began = time.monotonic()
    with pytest.raises(psycopg2.Error, match="statement timeout"), transaction() as connection:
        rows(connection, "SELECT pg_sleep(20)")
    assert time.monotonic() - began < 5
    with transaction() as connection:
        assert rows(connection, "SELECT 1") == [(1,)]


@pytest.mark.usefixtures("database")
def test_a_transaction_that_idles_is_cut_off_so_that_its_locks_are_free(configure):
    from core.database import dispose

    configure(MINGUS_DATABASE_TIMEOUT="1")
    dispose()
    with pytest.raises(DATABASE_AWAY):
        _dawdle()


def _dawdle():
    with transaction() as connection:
        rows(connection, "SELECT 1")
        time.sleep(1.5)
        rows(connection, "SELECT 1")


def test_every_socket_to_redis_has_a_time_limit(redis):
    options = client().connection_pool.connection_kwargs
    assert 0 < options["socket_timeout"] <= 5
    assert 0 < options["socket_connect_timeout"] <= 2
    transport = app.conf.broker_transport_options
    assert 0 < transport["socket_timeout"] <= 15
    assert 0 < transport["socket_connect_timeout"] <= 5
    assert 0 < app.conf.redis_socket_timeout <= 10


@pytest.mark.usefixtures("database")
def test_every_socket_to_the_database_has_a_time_limit():
    with transaction() as connection:
        limits = connection.connection.driver_connection.get_dsn_parameters()
    assert 0 < int(limits["connect_timeout"]) <= 5
    assert 0 < int(limits["tcp_user_timeout"]) <= 30_000
    assert int(limits["keepalives_idle"]) + 3 * int(limits["keepalives_interval"]) <= 60


def test_a_database_that_is_away_is_a_clear_error_at_once(configure, database):
    from core.database import dispose

    configure(DATABASE_URL="postgresql://mingus@127.0.0.1:9/mingus")
    dispose()
    began = time.monotonic()
    with pytest.raises(DATABASE_AWAY):
        deliver([new_id()])
    assert time.monotonic() - began < 6
    dispose()


@pytest.mark.usefixtures("database", "redis")
@pytest.mark.parametrize("start", [warm_up, web_app.warm_up], ids=["worker", "web app"])
def test_a_pool_that_is_larger_than_the_database_is_told_at_the_start(configure, caplog, start):
    with transaction() as connection:
        assert not connection_budget.check(connection).is_short
    configure(MINGUS_DATABASE_POOL_SIZE="500")
    with caplog.at_level(logging.WARNING):
        start()
    (said,) = [each for each in caplog.records if each.getMessage() == "connection_budget_short"]
    assert said.wanted == 504
    assert "MINGUS_DATABASE_POOL_SIZE" in said.mend


@pytest.mark.usefixtures("database")
def test_no_more_connections_than_the_settings_allow():
    pool = engine().pool
    assert pool.size() + pool._max_overflow <= 10
