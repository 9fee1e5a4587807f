"""One person's impossible data must not cost the others their message: who it is, is found by halving."""

import logging
from collections.abc import Sequence
from traceback import extract_tb

import psycopg2
from adbc_driver_manager.dbapi import DataError, IntegrityError, InternalError, ProgrammingError

from core.errors import InvalidRequest
from flows.audience import Recipient
from flows.batch_values import Draft, LeftOut, Prepare

log = logging.getLogger(__name__)

DATA_ERRORS = (
    ArithmeticError, LookupError, TypeError, ValueError, InvalidRequest, psycopg2.DataError,
    DataError, IntegrityError, InternalError, ProgrammingError,
)  # fmt: skip
"""What data that nobody thought of raises; a database that is away is none of these, and is tried again."""
OURS = 10
"""When so many of a set fail, and they are half of it, the error is ours: the run must fail and not skip everybody."""


def decided(prepare: Prepare, people: Sequence[Recipient]) -> list[Draft | LeftOut]:
    """What `prepare` decides; whoever makes it fail is left out with the error's kind."""
    failures: list[Exception] = []
    found = _halved(prepare, people, failures)
    if len(failures) >= OURS and len(failures) * 2 >= len(people):
        raise failures[-1]
    return found


def _halved(
    prepare: Prepare, people: Sequence[Recipient], failures: list[Exception]
) -> list[Draft | LeftOut]:
    if not people:
        return []
    try:
        return list(prepare(people))
    except DATA_ERRORS as error:
        if len(people) > 1:
            middle = len(people) // 2
            return [
                *_halved(prepare, people[:middle], failures),
                *_halved(prepare, people[middle:], failures),
            ]
        failures.append(error)
        place = extract_tb(error.__traceback__)[-1]
        # The error's words may hold what is in the data: only its kind and place are told.
        log.error(  # noqa: TRY400
            "batch.person_failed",
            extra={
                "user_id": people[0].user_id,
                "error": type(error).__name__,
                "at": f"{place.name}:{place.lineno}",
            },
        )
        return [LeftOut(people[0].user_id, f"their data can't be read: {type(error).__name__}")]
