"""The ids that a mail carries, so that its events name their attempt."""

import re
from functools import lru_cache
from uuid import UUID

from delivery.messages import Transmission

_LONGEST = 256
_ALLOWED = re.compile(r"[A-Za-z0-9_-]*").fullmatch
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_-]")


def tags(transmission: Transmission) -> tuple[tuple[str, str | UUID], ...]:
    """(name, value) in what Resend and SES both take: ASCII letters, digits, `_` and `-`, at most 256 characters.

    Ids come as they are: JSON writes them more cheaply than `str`.
    """
    return (
        ("attempt_id", transmission.attempt_id),
        ("notification_id", transmission.notification_id),
        ("message_type", _clean(transmission.message_type)),
    )


@lru_cache(maxsize=1024)  # names repeat
def _clean(text: str) -> str:
    return text if len(text) <= _LONGEST and _ALLOWED(text) else _NOT_ALLOWED.sub("_", text)[:_LONGEST]
