"""Real PostgreSQL and Redis for the whole session: a PostgreSQL server and a Redis database per xdist worker.

The first pytest process (xdist's controller, or the only one) owns the servers: they stop with it, even if it is killed.
A PostgreSQL server is nobody else's, because a long transaction holds back what all databases of a server may call the
past (`pg_snapshot_xmin`), and rollups wait for it. Tests commit for real and are wiped after.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import psycopg2
import pytest
import pytest_socket
import redis as redis_py
from sqlalchemy import Connection

from core.embedded import embedded_postgres, embedded_redis, free_port

hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared")  # on a busy machine a slow example is no finding

pytest_plugins = ["tests.delivery.stage"]  # people with names and the provider sandbox

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "mingus"
LOOPBACK = ["127.0.0.1", "::1", "localhost"]

NO_REAL_PROVIDER = {  # a test never reaches a vendor, whatever the developer's shell holds
    "MINGUS_ENV": "test",
    "TWILIO_ACCOUNT_SID": "ACsandbox0000000000000000000000000",
    "TWILIO_AUTH_TOKEN": "test-twilio-token",
    "TWILIO_PHONE_NUMBER": "+15005550006",
    "MINGUS_TWILIO_BASE_URL": "http://127.0.0.1:9",  # the discard port: nobody answers unless a test starts a server
    "RESEND_API_KEY": "re_test",
    "RESEND_WEBHOOK_SECRET": "whsec_dGVzdC13ZWJob29rLXNlY3JldC0wMDAwMDAwMDAwMDA=",
    "MINGUS_RESEND_BASE_URL": "http://127.0.0.1:9",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}

# Rows that a migration itself put in belong to the schema; every other table that a test filled is emptied.
# The replica role skips foreign keys and the triggers that keep ledgers append-only.
WIPE = """
DO $$
DECLARE filled regclass; has_rows boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR filled IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
                    AND n.nspname NOT LIKE 'pg_toast%%' AND NOT c.oid::regclass::text = ANY(%(kept)s)
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %%s)', filled) INTO has_rows;
        IF has_rows THEN EXECUTE format('DELETE FROM %%s', filled); END IF;
    END LOOP;
END $$
"""


def pytest_configure(config: pytest.Config) -> None:
    """Starts the servers (or learns of them from the controller) and points the environment at them before imports."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        servers = ExitStack()
        config.add_cleanup(servers.close)
        config.stash[OWNED] = servers
        home = servers.enter_context(_home())
        redis = servers.enter_context(embedded_redis(home / "redis", free_port(), durable=False))
        config.stash[SERVERS] = {"home": str(home), "redis": redis}
        if not config.getoption("numprocesses", default=None):
            config.stash[SERVERS]["postgres"] = _own_postgres(config, "main")
    else:
        config.stash[SERVERS] = worker["mingus_servers"]
    known = config.stash[SERVERS]
    os.environ.update(
        NO_REAL_PROVIDER,
        MINGUS_VAR=f"{known['home']}/var-{_worker_name(config)}",
        DATABASE_URL=_with_path(known.get("postgres", NOBODYS), DATABASE),
        REDIS_URL=_with_path(known["redis"], str(_worker_number(config))),
    )
    os.environ["CELERY_BROKER_URL"] = os.environ["CELERY_RESULT_BACKEND"] = os.environ["REDIS_URL"]
    os.environ["PREFECT_HOME"] = f"{os.environ['MINGUS_VAR']}/prefect"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: the controller starts a PostgreSQL server for each worker and tells it where its servers are."""
    own = {"postgres": _own_postgres(node.config, node.gateway.id)}
    node.workerinput["mingus_servers"] = node.config.stash[SERVERS] | own


@pytest.fixture(autouse=True)
def _loopback_only() -> Iterator[None]:
    """No test leaves the machine: sockets connect to loopback and unix addresses only."""
    pytest_socket.socket_allow_hosts(LOOPBACK, allow_unix_socket=True)
    yield
    pytest_socket._remove_restrictions()


@pytest.fixture(scope="session")
def postgres_url(pytestconfig: pytest.Config) -> str:
    """DATABASE_URL: this worker's own database, migrated by the same command as production."""
    with _admin(pytestconfig.stash[SERVERS]["postgres"]) as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE}")
    migrated = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        check=False, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if migrated.returncode != 0:
        pytest.exit(f"alembic upgrade head failed:\n{migrated.stderr}", returncode=3)
    return os.environ["DATABASE_URL"]


@pytest.fixture(scope="session")
def redis_url(pytestconfig: pytest.Config) -> str:
    """REDIS_URL: this worker's own numbered database."""
    return os.environ["REDIS_URL"]


@pytest.fixture(scope="session")
def _tables_with_seed_rows(postgres_url: str) -> list[str]:
    """Tables that the migrations filled: what they hold is schema and stays."""
    with _admin(postgres_url) as cursor:
        cursor.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        )
        tables = [name for (name,) in cursor.fetchall()]
        kept = []
        for table in tables:
            cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
            if cursor.fetchone()[0]:
                kept.append(table)
    return kept


@pytest.fixture
def database(postgres_url: str, _tables_with_seed_rows: list[str]) -> Iterator[str]:
    """The URL of an empty, migrated database; whatever the test commits is wiped after it."""
    yield postgres_url
    from core.database import dispose

    dispose()
    with _admin(postgres_url) as cursor:
        cursor.execute(WIPE, {"kept": _tables_with_seed_rows})


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    """A connection of the product's own pool in one transaction, rolled back at the end."""
    from core.database import engine

    with engine().connect() as opened, opened.begin() as transaction:
        yield opened
        transaction.rollback()


@pytest.fixture
def redis(redis_url: str) -> Iterator[redis_py.Redis]:
    """A client of an empty Redis database, flushed after the test."""
    from core.redis import disconnect

    with redis_py.Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client
        client.flushdb()
    disconnect()


@pytest.fixture
def server_home(pytestconfig: pytest.Config) -> Iterator[Path]:
    """A folder for a server of the test's own (to restart or kill); tmp_path is closed to the servers' account."""
    home = Path(tempfile.mkdtemp(dir=pytestconfig.stash[SERVERS]["home"]))
    yield home
    shutil.rmtree(home, ignore_errors=True)


SERVERS: pytest.StashKey[dict[str, str]] = pytest.StashKey()
OWNED: pytest.StashKey[ExitStack] = pytest.StashKey()
NOBODYS = "postgresql://127.0.0.1:9/postgres"
"""xdist's controller runs no test and has no database."""


def _own_postgres(config: pytest.Config, worker: str) -> str:
    home = Path(config.stash[SERVERS]["home"]) / f"postgres-{worker}"
    return config.stash[OWNED].enter_context(embedded_postgres(home, durable=False))


def _worker_name(config: pytest.Config) -> str:
    return str(getattr(config, "workerinput", {}).get("workerid", "main"))


def _worker_number(config: pytest.Config) -> int:
    """gw0 → 1, gw1 → 2 …; 0 without xdist."""
    name = _worker_name(config)
    return int(name.removeprefix("gw")) + 1 if name != "main" else 0


def _with_path(url: str, path: str) -> str:
    return f"{url.rsplit('/', 1)[0]}/{path}"


@contextmanager
def _home() -> Iterator[Path]:
    """A short-named folder for the servers, removed at the end; those of killed sessions are removed first."""
    for left in Path(tempfile.gettempdir()).glob("mingus-tests-*"):
        if not psutil.pid_exists(int(left.name.split("-")[2])):
            shutil.rmtree(left, ignore_errors=True)
    home = Path(tempfile.mkdtemp(prefix=f"mingus-tests-{os.getpid()}-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _admin(url: str) -> Iterator[Any]:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
