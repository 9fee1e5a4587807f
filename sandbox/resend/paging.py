"""Resend's lists, page by page."""

from collections.abc import Callable
from itertools import dropwhile, islice, takewhile
from typing import Any

from starlette.requests import Request

from sandbox.resend.errors import resend_refusal

DEFAULT_PAGE, MAX_PAGE = 20, 100


def page_of(rows: list[Any], request: Request, identify: Callable[[Any], str]) -> tuple[list[Any], bool]:
    """Resend's paging: `limit` (1 to 100) rows after or before an id, and whether there are more."""
    query = request.query_params
    raw = query.get("limit", str(DEFAULT_PAGE))
    if not raw.isdigit() or not 1 <= int(raw) <= MAX_PAGE:
        raise resend_refusal("validation_error", f"The `limit` must be a number between 1 and {MAX_PAGE}.")
    limit, after, before = int(raw), query.get("after"), query.get("before")
    if after is not None and before is not None:
        raise resend_refusal(
            "validation_error", "The `after` and `before` parameters can't be used together."
        )
    if after is not None:
        rows = list(islice(dropwhile(lambda row: identify(row) != after, rows), 1, None))
    if before is not None:
        newer = list(takewhile(lambda row: identify(row) != before, rows))
        return newer[-limit:], len(newer) > limit
    return rows[:limit], len(rows) > limit
