"""The windows that flows work on: half-open, UTC, parameters; a wrong one fails before the run, so it isn't retried."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from core.clock import as_utc, utc_now

LONGEST_HOURS = 31 * 24


def _past(at: datetime) -> datetime:
    if at > utc_now():
        raise ValueError(f"{at.isoformat()} is in the future: nothing can be known about it yet")
    return as_utc(at)


PastInstant = Annotated[AwareDatetime, AfterValidator(_past)]
"""An instant with a zone that is not in the future; as a parameter it gives a date picker in the UI."""
Hours = Annotated[int, Field(ge=1, le=LONGEST_HOURS)]


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end) in UTC."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} – {self.end:%Y-%m-%d %H:%M} UTC"


def window_before(end: datetime | None, hours: int, now: datetime) -> Window:
    """The `hours` hours before `end`, or before `now` when no end is given."""
    until = as_utc(end or now)
    return Window(until - timedelta(hours=hours), until)
