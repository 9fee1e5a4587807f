"""When something should reach a person: at an hour of their own day."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from analytics.local_days import at_hour, zone_of

LATEST_HOUR = 18
"""After six in the evening it is tomorrow's business."""


@dataclass(frozen=True, slots=True)
class Moment:
    """`on` is the person's own date; `deliver_after` is None when it may leave at once."""

    on: date
    deliver_after: datetime | None


def moment(now: datetime, zone: str, hour: int, *, latest: int = LATEST_HOUR) -> Moment:
    """Now between `hour` and `latest` of the person's day, else their next `hour` o'clock; an unknown zone is UTC."""
    local = now.astimezone(zone_of(zone))
    if time(hour) <= local.time() < time(latest):
        return Moment(local.date(), None)
    day = local.date() if local.time() < time(hour) else local.date() + timedelta(days=1)
    return Moment(day, at_hour(day, zone, hour))
