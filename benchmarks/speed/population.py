"""Whom the rows write to: people with a phone, a mail address and all consents, kept as a template database."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg2

from benchmarks.speed.stage import ROOT, Stage, schema_mark

PEOPLE_AT_ONCE = 2000


def user_id(number: int) -> str:
    """The id of person `number`."""
    return f"user_{number:07d}"


def fresh_database(stage: Stage, name: str, people: int) -> None:
    """A database `name` of its own with `people` in it, copied from the kept template (made once per schema)."""
    template = f"texans_{people}_{schema_mark()}"
    if not _exists(stage, template):
        _create(stage, "people_new")
        stage.use_database("people_new")
        _migrate(stage)
        _fill(people)
        stage.use_database("postgres")
        stage.sql(f"ALTER DATABASE people_new RENAME TO {template}")
    stage.use_database("postgres")
    _create(stage, name, template)
    stage.use_database(name)
    noon = 13 - datetime.now(UTC).hour  # hours by which a clock that shows about 13:00 now is ahead
    zone = f"Etc/GMT{-noon:+d}" if noon else "UTC"
    stage.sql("UPDATE users SET time_zone = %s", zone)
    stage.sql("VACUUM ANALYZE")
    stage.sql("CHECKPOINT")


def _fill(people: int) -> None:
    from core.database import transaction
    from delivery.people import add_people

    for chunk in _chunks(people):
        with transaction() as connection:
            add_people(connection, [_person(number) for number in chunk])


def _chunks(count: int) -> Iterator[Sequence[int]]:
    for start in range(0, count, PEOPLE_AT_ONCE):
        yield range(start, min(start + PEOPLE_AT_ONCE, count))


def _person(number: int) -> Any:
    from core.vocabulary import Channel, ConsentLevel, Purpose
    from delivery.consents import ConsentEntry
    from delivery.people import NewPerson

    name = user_id(number)
    return NewPerson(
        id=name,
        name=f"Maya {number}",
        phone=f"+1512{2_000_000 + number % 7_000_000}",
        email=f"maya.{number}@mail{number % 7}.example",
        locale="en_US",
        country="US",
        state="TX",
        time_zone="UTC",
        consents=[
            ConsentEntry(
                user_id=name, channel=channel, purpose=purpose, granted=True, method="web_form",
                level=ConsentLevel.EXPRESS_WRITTEN, wording="I agree to receive messages from MINGUS",
                wording_version="1",
            )
            for channel in Channel
            for purpose in Purpose
        ],
    )  # fmt: skip


def _migrate(stage: Stage) -> None:
    command = (sys.executable, "-m", "alembic", "upgrade", "head")
    done = subprocess.run(command, cwd=ROOT, env=stage.env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"alembic upgrade head failed:\n{done.stderr}")


def _exists(stage: Stage, name: str) -> bool:
    return bool(stage.sql("SELECT 1 FROM pg_database WHERE datname = %s", name))


def _create(stage: Stage, name: str, template: str = "template1") -> None:
    with closing(psycopg2.connect(stage.env["DATABASE_URL"])) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
