"""A Prefect server for the session, and people with a past."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from core.clock import utc_now

ZONES = ("America/New_York", "America/Los_Angeles", "Europe/London", None)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Prefect warns on import when its home is missing, and warnings are errors."""
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A temporary server of its own database: flows run as they do in production."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=90):
        yield


@pytest.fixture
def store(database: str) -> Iterator[Any]:
    """A cursor that commits each statement."""
    with closing(psycopg2.connect(database)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


@pytest.fixture
def people(store: Any) -> Callable[[int], None]:
    """people(300): so many people in four zones with both channels, who joined over the last year."""

    def add(count: int) -> None:
        for number in range(count):
            store.execute(
                "INSERT INTO users (id, time_zone, joined_at) VALUES (%s, %s, now() - %s * interval '1 day')",
                (f"user_{number:04d}", ZONES[number % 4], number % 360),
            )
        store.execute(
            "INSERT INTO contact_points (id, user_id, channel, address_sealed, address_index, domain)"
            " SELECT gen_random_uuid(), u.id, c, '', convert_to(u.id || c, 'UTF8'), CASE c WHEN 'email' THEN 'gmail.com' ELSE '' END"
            " FROM users u, unnest(ARRAY['sms', 'email']) AS c"
        )

    return add


@pytest.fixture
def past(database: str, people: Callable[[int], None]) -> Callable[..., datetime]:
    """past(people=300, days=20): writes what these people were sent until now; returns now."""
    from analytics.history import write_history

    def write(count: int = 300, days: int = 20) -> datetime:
        people(count)
        now = utc_now()
        write_history(database, days=days, until=now, seed=11, payload=lambda *_: (b"sealed", b"hash"))
        return now

    return write
