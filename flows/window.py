"""The windows that flows work on: half-open, UTC, whole five minutes; a wrong parameter fails before the run begins,
so that it is not retried.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from core.clock import as_utc, utc_now

SLOT = timedelta(minutes=5)
LONGEST_HOURS = 31 * 24


def _past(at: datetime) -> datetime:
    if at > utc_now():
        raise ValueError(f"{at.isoformat()} is in the future: nothing can be known about it yet")
    return as_utc(at)


def _ended(day: date) -> date:
    if day >= utc_now().date():
        raise ValueError(f"{day} is not over in UTC: its figures would change")
    return day


def _whole_slot(at: datetime) -> datetime:
    if slot_of(at) != at:
        raise ValueError(f"{at.isoformat()} is not at whole five minutes, take {slot_of(at).isoformat()}")
    return at


PastInstant = Annotated[AwareDatetime, AfterValidator(_past)]
"""An instant with a zone that is not in the future; as a parameter it gives a date picker in the UI."""
WindowEnd = Annotated[PastInstant, AfterValidator(_whole_slot)]
"""A past instant at whole five minutes."""
Hours = Annotated[int, Field(ge=1, le=LONGEST_HOURS)]
PastDay = Annotated[date, AfterValidator(_ended)]
"""A UTC day that is over."""


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end) in UTC."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} – {self.end:%Y-%m-%d %H:%M} UTC"


def slot_of(at: datetime) -> datetime:
    """The beginning of the five minutes that hold `at`."""
    return datetime.fromtimestamp(at.timestamp() // SLOT.total_seconds() * SLOT.total_seconds(), UTC)


def window_before(end: datetime | None, hours: int, now: datetime) -> Window:
    """The `hours` hours before `end`; without one they reach to the end of the five minutes under way."""
    until = as_utc(end) if end is not None else slot_of(now) + SLOT
    return Window(until - timedelta(hours=hours), until)


def window_of_day(day: date, hours: int = 24) -> Window:
    """The `hours` hours before the midnight (UTC) that ends a day."""
    end = datetime.combine(day + timedelta(days=1), time(), UTC)
    return Window(end - timedelta(hours=hours), end)
