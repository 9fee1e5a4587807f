"""A Prefect server for the session, for the one flow of this folder."""

import os
from collections.abc import Iterator
from pathlib import Path

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
