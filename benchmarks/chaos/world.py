"""The world that is hurt: real workers, Redis, PostgreSQL and the sandbox of providers, under one supervisor."""

import json
import os
import random
import shutil
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.stack import Process, Site, Stack, processes

WORKERS = ("critical", "email", "housekeeping")
"""Those that the messages of the scenarios need; `daily` has none in any night."""
ALL = (*WORKERS, "beat", "web")
PEOPLE = 400

QUICK: Mapping[str, str] = {
    "MINGUS_ENV": "test",
    "MINGUS_LEASE_SECONDS": "5",
    "MINGUS_REPUBLISH_SECONDS": "6",
    "MINGUS_UNKNOWN_SETTLE_SECONDS": "2",
    "MINGUS_UNKNOWN_GIVE_UP_SECONDS": "120",
    "MINGUS_READ_TIMEOUT": "3",
    "MINGUS_CONNECT_TIMEOUT": "1",
    "MINGUS_CHUNK_SIZE": "50",
    "MINGUS_PROVIDER_CONNECTIONS": "4",
    **{
        f"MINGUS_{name}_{kind}".upper(): value
        for kind in ("critical_financial", "educational_content", "monthly_report", "career_insights")
        for name, value in (("user_daily_limit", "1000000"), ("retries", "10"), ("backoff_seconds", "2"))
    },
    **{
        f"MINGUS_LIMIT_{name}": "100000000"
        for name in (
            "CRITICAL_FINANCIAL_SMS",
            "CRITICAL_FINANCIAL_EMAIL",
            "EDUCATIONAL_CONTENT_EMAIL",
            "MONTHLY_REPORT_EMAIL",
            "CAREER_INSIGHTS_EMAIL",
        )
    },
}
"""Short leases and waits, so that a minute of chaos shows what an hour would; limits out of the way."""

MOVES_RECORDED = """
CREATE TABLE IF NOT EXISTS chaos_moves (id uuid, was text, became text);
CREATE OR REPLACE FUNCTION chaos_record() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO chaos_moves VALUES (NEW.id, OLD.state, NEW.state); RETURN NULL; END';
CREATE OR REPLACE TRIGGER chaos_moves AFTER UPDATE OF state ON notifications FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION chaos_record();
"""
DISK_FULL = """
CREATE OR REPLACE FUNCTION chaos_disk_full() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN RAISE EXCEPTION ''could not extend file: No space left on device'' USING ERRCODE = ''disk_full''; END';
CREATE OR REPLACE TRIGGER chaos_disk_full BEFORE INSERT OR UPDATE ON attempts EXECUTE FUNCTION chaos_disk_full();
CREATE OR REPLACE TRIGGER chaos_disk_full BEFORE INSERT OR UPDATE ON notifications EXECUTE FUNCTION chaos_disk_full();
"""
DISK_FREE = """
DROP TRIGGER chaos_disk_full ON attempts;
DROP TRIGGER chaos_disk_full ON notifications;
"""


@dataclass(slots=True)
class World:
    """The running stack with what scenarios need: signals by name, the sandbox's faults, SQL, and a clock to log by."""

    stack: Stack
    dice: random.Random
    people: list[str]
    say: Callable[[str], None]
    kills: int = 0
    left: dict[str, datetime | None] = field(default_factory=dict)
    """Who has unsubscribed, and since when surely."""
    _ready_lines: dict[str, int] = field(default_factory=dict)

    @property
    def var(self) -> Path:
        """The stack's folder."""
        return self.stack.var

    def sandbox(self, method: str, path: str, body: object = None) -> Any:
        """One call of the sandbox's control API."""
        request = urllib.request.Request(
            f"{self.stack.urls['sandbox']}_sandbox/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    @contextmanager
    def fault(self, **fault: Any) -> Iterator[None]:
        """A fault of the providers for the length of the block."""
        added = self.sandbox("POST", "faults", {"seed": self.dice.randrange(2**31), **fault})
        try:
            yield
        finally:
            with suppress(urllib.error.HTTPError):  # it has ended by itself
                self.sandbox("DELETE", f"faults/{added['id']}")

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement in a transaction of our own."""
        from core.database import transaction
        from core.statements import rows

        with transaction() as connection:
            return rows(connection, statement)

    def kill(self, *names: str) -> None:
        """SIGKILL these processes at the same moment; the supervisor starts them again."""
        for name in names:
            with suppress(ProcessLookupError):
                os.kill(self.stack.pid(name), signal.SIGKILL)
                self.kills += 1

    def await_ready(self, *names: str, seconds: float = 90.0) -> None:
        """Until these workers have said since the last call that they are ready."""
        give_up = time.monotonic() + seconds
        for name in names:
            while self._said_ready(name) <= self._ready_lines.get(name, 0):
                if time.monotonic() > give_up:
                    raise TimeoutError(f"{name} did not come back within {seconds:.0f} s")
                time.sleep(0.1)
            self._ready_lines[name] = self._said_ready(name)

    def starts(self) -> int:
        """How often workers have been started in this world."""
        return sum(count_starts(self.stack, name) for name in WORKERS)

    def _said_ready(self, name: str) -> int:
        return count_starts(self.stack, name)


def count_starts(stack: Stack, name: str) -> int:
    """How often a worker has said that it is ready."""
    logs = (stack.log(name), stack.log(name).with_suffix(".log.1"))
    return sum(log.read_bytes().count(b" ready.") for log in logs if log.exists())


def _table(site: Site) -> tuple[Process, ...]:
    """The product's own rows; readiness of workers is read from their logs, because a ping costs a process."""
    return tuple(
        replace(row, ready=lambda: True, stop_seconds=40) if row.name in WORKERS else row
        for row in processes(site)
    )


@contextmanager
def open_world(
    var: Path,
    *,
    seed: int,
    say: Callable[[str], None],
    environ: Mapping[str, str] | None = None,
    only: Sequence[str] = ALL,
) -> Iterator[World]:
    """A fresh stack in `var`, with people to write to; gone at the end."""
    shutil.rmtree(var, ignore_errors=True)
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    stack = Stack(var, environ={**bare, **QUICK, **(environ or {})}, table=_table, only=only)
    before = dict(os.environ)
    stack.start()
    try:
        os.environ.update({**QUICK, **stack.env})
        forget()
        world = World(stack, random.Random(seed), _people(), say)
        world.sql(MOVES_RECORDED)
        world.await_ready(*WORKERS)
        yield world
    finally:
        forget()
        os.environ.clear()
        os.environ.update(before)
        stack.stop()
        if not os.environ.get("MINGUS_CHAOS_KEEP"):
            shutil.rmtree(var, ignore_errors=True)


def forget() -> None:
    """Let this process read its settings anew."""
    from core import database, redis
    from core.crypto import keyring
    from core.settings import settings
    from delivery import catalog, providers

    database.dispose()
    redis.disconnect()
    for cached in (settings, keyring, catalog.catalog, providers.provider):
        cached.cache_clear()


def _people() -> list[str]:
    from core.database import transaction
    from core.vocabulary import Channel, ConsentLevel, Purpose
    from delivery.consents import ConsentEntry
    from delivery.people import NewPerson, add_people

    ids = [f"user_{n}" for n in range(PEOPLE)]
    people = [
        NewPerson(
            id=user_id,
            name=f"Canaryname{n}",
            phone=f"+1512{200 + n // 10000}{n % 10000:04d}",
            email=f"canary{n}@mingus.example",
            time_zone="America/Chicago",
            state="TX",
            consents=tuple(
                ConsentEntry(
                    user_id=user_id, channel=channel, purpose=purpose, granted=True, method="web_form",
                    level=ConsentLevel.EXPRESS_WRITTEN, wording="I agree", wording_version="1",
                )
                for channel in Channel
                for purpose in Purpose
            ),
        )
        for n, user_id in enumerate(ids)
    ]  # fmt: skip
    with transaction() as connection:
        add_people(connection, people)
    return ids
