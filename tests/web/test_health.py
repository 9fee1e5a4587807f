"""Alive and ready: what supervisors and load balancers are told."""

import json

import pytest
from sqlalchemy.exc import OperationalError

from core.database import transaction
from core.statements import execute
from tests.web.conftest import Web
from web import health


def test_the_process_says_that_it_is_alive(web: Web) -> None:
    answer = web.get("/healthz")

    assert answer.status == 200
    assert json.loads(answer.data) == {"status": "alive"}


def test_it_is_ready_when_postgres_is_migrated_and_redis_answers(web: Web) -> None:
    answer = web.get("/readyz")

    assert (answer.status, json.loads(answer.data)) == (200, {"ready": True, "postgres": "ok", "redis": "ok"})


def test_it_is_not_ready_on_an_older_schema(web: Web) -> None:
    with transaction() as connection:
        execute(connection, "UPDATE alembic_version SET version_num = '0000'")
    try:
        answer = web.get("/readyz")
    finally:
        with transaction() as connection:
            execute(connection, "UPDATE alembic_version SET version_num = %s", (health.head(),))

    assert answer.status == 503
    assert json.loads(answer.data)["postgres"] == f"not migrated: at 0000, head is {health.head()}"


def test_it_says_which_part_is_away(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("SELECT", None, Exception("gone"))

    monkeypatch.setattr(health, "transaction", away)

    answer = web.get("/readyz")

    assert (answer.status, json.loads(answer.data)) == (
        503,
        {"ready": False, "postgres": "away: OperationalError", "redis": "ok"},
    )
