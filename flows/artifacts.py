"""What a run leaves for people in the Prefect UI: tables, verdicts and pictures."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact


def table(key: str, rows: Sequence[Mapping[str, Any]], *, about: str, empty: str) -> None:
    """A table; without rows it says in one row that there is nothing, because a missing table looks like an error."""
    create_table_artifact(
        key=key, table=[dict(row) for row in rows] or [{"result": empty}], description=about
    )


def verdict(key: str, markdown: str, *, about: str) -> None:
    """A text in Markdown."""
    create_markdown_artifact(key=key, markdown=markdown, description=about)


def picture(key: str, png: bytes, *, about: str) -> None:
    """A PNG inside its own address, so that it needs no server to be shown."""
    address = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    create_image_artifact(image_url=address, key=key, description=about)
