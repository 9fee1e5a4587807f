"""What a run leaves for people in the Prefect UI: tables, verdicts and pictures."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact


def table(key: str, rows: Sequence[Mapping[str, Any]], *, about: str, empty: str) -> None:
    """A table; without rows it says in one row that there is nothing, because a missing table looks like an error."""
    create_table_artifact(
        key=key, table=[dict(row) for row in rows] or [{"result": empty}], description=about
    )


def verdict(key: str, markdown: str, *, about: str) -> None:
    """A text in Markdown."""
    create_markdown_artifact(key=key, markdown=markdown, description=about)


def pictures(key: str, pngs: Mapping[str, bytes], *, about: str) -> None:
    """PNGs under their captions, inside the text itself, so that they need no server to be shown; nothing for none."""
    if pngs:
        parts = [f"### {caption}\n\n![{caption}]({_address(png)})\n" for caption, png in pngs.items()]
        create_markdown_artifact(key=key, markdown="\n".join(parts), description=about)


def _address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
