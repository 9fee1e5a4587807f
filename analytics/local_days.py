"""Days and hours as a person lives them."""

from datetime import date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.clock import as_utc


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
