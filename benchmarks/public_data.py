"""Where the public data sets lie, if they are here: MINGUS_DATA, or `../shared/data` beside the checkout."""

import os
from pathlib import Path

BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def public_data(name: str) -> Path | None:
    """The path of a data set, None when it is not here."""
    path = Path(os.environ.get("MINGUS_DATA") or BESIDE) / name
    return path if path.exists() else None
