"""When something should reach a person: at an hour of their own day."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.clock import as_utc

LATEST_HOUR = 18
"""After six in the evening it is tomorrow's business."""


@dataclass(frozen=True, slots=True)
class Moment:
    """`on` is the person's own date; `deliver_after` is None when it may leave at once."""

    on: date
    deliver_after: datetime | None


def moment(now: datetime, zone: str, hour: int, *, latest: int = LATEST_HOUR) -> Moment:
    """Now between `hour` and `latest` of the person's day, else their next `hour` o'clock; an unknown zone is UTC."""
    local = now.astimezone(_zone(zone))
    if time(hour) <= local.time() < time(latest):
        return Moment(local.date(), None)
    day = local.date() if local.time() < time(hour) else local.date() + timedelta(days=1)
    return Moment(day, at_hour(day, zone, hour))


def at_hour(day: date, zone: str, hour: int) -> datetime:
    """`hour` o'clock of that day, in UTC; an hour that a change of clocks leaves out is the one after it."""
    return as_utc(datetime.combine(day, time(hour), _zone(zone)))


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
