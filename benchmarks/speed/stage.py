"""Where the rows play: real PostgreSQL (fsync on) and Redis (AOF), the TLS sink, real worker processes, one environment.

Everything lives below `var/bench` and ends with the block; people and their database are kept for the next run.
"""

import hashlib
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg2
import redis

from benchmarks.speed.accounting import cpu_of, cpu_of_servers
from benchmarks.speed.certificates import make_certificates
from core.embedded import embedded_postgres, embedded_redis, free_ports

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "var" / "bench"
UNLIMITED = "1000000000"
BULK_TYPES = ("payment_reminder", "monthly_report", "critical_financial")


@dataclass(slots=True)
class Worker:
    """A running process of a row."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    started_at: float = field(default_factory=time.monotonic)

    def wait_ready(self, word: str = " ready.", seconds: float = 60.0) -> float:
        """Seconds from its start until it says so in its log."""
        give_up = time.monotonic() + seconds
        while word not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"{self.name} did not come up:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.01)
        return time.monotonic() - self.started_at


class Stage:
    """The running servers; `open_stage` makes one."""

    def __init__(self, folder: Path, postgres: str, redis_url: str, held: ExitStack) -> None:
        self.folder = folder
        self._server = postgres
        self._held = held
        self._roots, self._certificate, self._key = make_certificates(folder / "tls")
        (self._sink_port,) = free_ports(1)
        self.redis_url = redis_url
        self.env = os.environ | self._environment(postgres)
        os.environ.update(self.env)
        self._tls = ssl.create_default_context(cafile=str(self._roots))
        self.sink = self._spawn("sink", self._sink_command(), self.env)
        self._await_sink()

    def _environment(self, database_url: str) -> dict[str, str]:
        address = f"https://127.0.0.1:{self._sink_port}"
        env = {
            "MINGUS_ENV": "test",
            "MINGUS_VAR": str(self.folder / "state"),
            "DATABASE_URL": database_url,
            "REDIS_URL": self.redis_url,
            "CELERY_BROKER_URL": self.redis_url,
            "CELERY_RESULT_BACKEND": self.redis_url,
            "PUBLIC_BASE_URL": "https://hooks.mingus.example",
            "TWILIO_ACCOUNT_SID": "ACsandbox0000000000000000000000000",
            "TWILIO_AUTH_TOKEN": "bench-token",
            "TWILIO_PHONE_NUMBER": "+15005550006",
            "MINGUS_TWILIO_BASE_URL": address,
            "RESEND_API_KEY": "re_bench",
            "RESEND_WEBHOOK_SECRET": "whsec_dGVzdC13ZWJob29rLXNlY3JldC0wMDAwMDAwMDAwMDA=",
            "MINGUS_RESEND_BASE_URL": address,
            "SSL_CERT_FILE": str(self._roots),
            "REQUESTS_CA_BUNDLE": str(self._roots),
            "PYTHONUNBUFFERED": "1",
        }
        for name in BULK_TYPES:  # the limits are asked for every message, and high enough to let it pass
            env |= {f"MINGUS_LIMIT_{name}_{channel}".upper(): UNLIMITED for channel in ("sms", "email")}
            env[f"MINGUS_USER_DAILY_LIMIT_{name}".upper()] = UNLIMITED
        return env

    def use_database(self, name: str) -> str:
        """Point this process and all that are started from now on at another database of the server."""
        url = f"{self._server.rsplit('/', 1)[0]}/{name}"
        self.env["DATABASE_URL"] = os.environ["DATABASE_URL"] = url
        from core import database
        from core.settings import settings

        database.dispose()
        settings.cache_clear()
        return url

    def sql(self, statement: str, *parameters: Any, **named: Any) -> list[tuple[Any, ...]]:
        """One statement in autocommit on the current database, its parameters by place or by name."""
        with closing(psycopg2.connect(self.env["DATABASE_URL"])) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters or named or None)
                return list(cursor.fetchall()) if cursor.description else []

    def clear(self) -> None:
        """An empty log, empty queues, no limits used; people stay."""
        self.sql("TRUNCATE notifications, attempts, delivery_events, dead_letters, callbacks CASCADE")
        with closing(redis.Redis.from_url(self.redis_url)) as client:
            client.flushdb()

    @contextmanager
    def workers(self, *commands: tuple[str, Sequence[str]]) -> Iterator[list[Worker]]:
        """Celery workers `(name, options)`, ready when the block begins and gone when it ends."""
        started = [
            self._spawn(name, (sys.executable, "-m", "celery", *options), self.env)
            for name, options in commands
        ]
        try:
            for each in started:
                each.wait_ready()
            yield started
        finally:
            for each in started:
                each.process.terminate()
            for each in started:
                try:
                    each.process.wait(20)
                except subprocess.TimeoutExpired:
                    each.process.kill()
                    each.process.wait()

    def start(self, name: str, *command: str, env: dict[str, str] | None = None) -> Worker:
        """Any process, ended with the stage."""
        return self._spawn(name, command, self.env | (env or {}))

    def sink_report(self) -> dict[str, Any]:
        """What the sink has seen since the last reset."""
        report: dict[str, Any] = json.loads(self._ask("GET", "/_sink"))
        return report

    def sink_reset(self, milliseconds: float) -> None:
        """Let the sink forget and answer after `milliseconds` from now on."""
        self._ask("POST", f"/_sink/reset?ms={milliseconds}")

    def server_cpu(self) -> dict[str, float]:
        """CPU seconds so far of the servers: postgres, redis, sink."""
        return {"sink": cpu_of([self.sink.process.pid]), **cpu_of_servers()}

    def _ask(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(
            f"https://127.0.0.1:{self._sink_port}{path}",
            method=method,
            data=b"" if method == "POST" else None,
        )
        with urllib.request.urlopen(request, timeout=10, context=self._tls) as answer:
            read: bytes = answer.read()
            return read

    def _sink_command(self) -> tuple[str, ...]:
        return (
            sys.executable, "-m", "benchmarks.sink", "--certificate", str(self._certificate), "--key", str(self._key),
            "--port", str(self._sink_port),
        )  # fmt: skip

    def _await_sink(self) -> None:
        for _ in range(200):
            try:
                self._ask("GET", "/_sink")
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"the sink did not come up:\n{self.sink.log.read_text()}")

    def _spawn(self, name: str, command: Sequence[str], env: dict[str, str]) -> Worker:
        log = self.folder / "log" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(  # a session of its own, as a supervisor gives it (`tasks.yielding`)
                command, cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True
            )
        self._held.callback(_end, process)
        return Worker(name, process, log)

    def __enter__(self) -> Self:
        return self


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def open_stage(folder: Path = HOME) -> Iterator[Stage]:
    """The stage, with an empty Redis; PostgreSQL keeps its databases between runs."""
    with ExitStack() as held:
        folder.mkdir(parents=True, exist_ok=True)
        ports = free_ports(2)
        postgres = held.enter_context(embedded_postgres(folder / "postgres", ports[0]))
        redis_url = held.enter_context(embedded_redis(folder / "redis", ports[1]))
        with closing(redis.Redis.from_url(redis_url)) as client:
            client.flushall()
        yield Stage(folder, postgres, redis_url, held)


def schema_mark() -> str:
    """A short name of the present schema, so that kept databases of another one are not used."""
    digest = hashlib.sha256()
    for file in sorted((ROOT / "migrations" / "versions").glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]
