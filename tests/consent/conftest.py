"""An archive of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery import archive_stores


@pytest.fixture
def empty_archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(archive_stores, "FOLDER", f"archive-{tmp_path.name}")
    archive_stores.store.cache_clear()
    yield
    archive_stores.store.cache_clear()
