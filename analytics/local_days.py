"""Days and hours as a person lives them."""

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


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The IANA zone; UTC for a name that is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def local_day(at: datetime, zone: str) -> date:
    """The date on the person's calendar."""
    return at.astimezone(zone_of(zone)).date()


def at_hour(day: date, zone: str, hour: int) -> datetime:
    """`hour` o'clock of that day, in UTC; an hour that a change of clocks leaves out is the one after it."""
    return as_utc(datetime.combine(day, time(hour), zone_of(zone)))


def moment(now: datetime, zone: str, hour: int, *, latest: int = LATEST_HOUR) -> Moment:
    """Now between `hour` and `latest` of the person's day, else their next `hour` o'clock; an unknown zone is UTC."""
    local = now.astimezone(zone_of(zone))
    if time(hour) <= local.time() < time(latest):
        return Moment(local.date(), None)
    day = local.date() if local.time() < time(hour) else local.date() + timedelta(days=1)
    return Moment(day, at_hour(day, zone, hour))
