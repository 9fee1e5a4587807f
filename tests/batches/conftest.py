"""A Prefect server for the session, and money that people have."""

import os
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest


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
def banked(database: str) -> Callable[..., None]:
    """Write transactions down: banked("user_maya", ("2025-07-01", "3000", "income", "Payroll"), …)."""
    from core.database import transaction
    from core.ids import new_id
    from core.statements import insert_rows

    def write(user: str, *moved: tuple[str, str, str, str]) -> None:
        with transaction() as connection:
            insert_rows(
                connection,
                "INSERT INTO transactions (id, user_id, booked_on, amount, category, merchant) VALUES %s",
                [
                    (new_id(), user, date.fromisoformat(day), Decimal(amount), category, merchant)
                    for day, amount, category, merchant in moved
                ],
            )

    return write


@pytest.fixture
def accepted(database: str) -> Callable[[str], dict[str, dict[str, Any]]]:
    """The accepted notifications of a type: key → payload, opened."""
    import orjson

    from core.database import transaction
    from core.sealing import unseal
    from core.statements import rows
    from delivery.intake import PAYLOAD_PLACE

    def read(message_type: str) -> dict[str, dict[str, Any]]:
        with transaction() as connection:
            found = rows(
                connection,
                "SELECT id, idempotency_key, payload_sealed FROM notifications WHERE message_type = %s",
                (message_type,),
            )
        return {key: orjson.loads(unseal(sealed, place=PAYLOAD_PLACE, row=row)) for row, key, sealed in found}

    return read
