"""What personal send times earned, week by week: one report for each ISO week, written once its choices have matured."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from analytics.off_policy import Interval, Uplift
from analytics.send_time_run import MATURED_AFTER, measure
from analytics.store import replace_report
from core.statements import rows
from core.vocabulary import Channel

REPORT = "send_time_uplift"
WEEK = timedelta(days=7)
SHOWN = 12


def week_before(now: datetime) -> tuple[datetime, datetime]:
    """[Monday, Monday) in UTC of the last whole week whose choices have all matured at `now`."""
    ripe = now - MATURED_AFTER
    end = (ripe - timedelta(days=ripe.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    return end - WEEK, end


def keep_week(reading: Any, writing: Connection, *, now: datetime) -> bool:
    """Measures the last whole week, all channels with matured choices; False when that was done already.

    A week without choices is kept too, as an empty report: it was looked at, and there was nothing.
    """
    start, end = week_before(now)
    if rows(writing, "SELECT FROM reports WHERE name = %s AND window_start = %s", (REPORT, start)):
        return False
    measured = {str(channel): measure(reading, str(channel), since=start, until=end) for channel in Channel}
    body = {channel: _told(uplift) for channel, uplift in measured.items() if uplift is not None}
    replace_report(writing, REPORT, start, end, body)
    return True


def last_weeks(reading: Connection) -> list[dict[str, Any]]:
    """(week, channel, sends, persons, uplift in words, ess, sentence …) of the last weeks, newest first."""
    found = rows(
        reading,
        "SELECT window_start, body FROM reports WHERE name = %s ORDER BY window_start DESC LIMIT %s",
        (REPORT, SHOWN),
    )
    return [
        {"week": f"{start:%G-W%V}", "channel": channel, **told}
        for start, body in found
        for channel, told in sorted(body.items())
    ]


def _told(uplift: Uplift) -> dict[str, Any]:
    return asdict(uplift) | {
        "ess": round(uplift.ess), "enough": uplift.enough, "uplift": _shown(uplift.dr), "sentence": uplift.sentence(),
    }  # fmt: skip


def _shown(interval: Interval) -> str:
    return f"{100 * interval.value:+.2f} [{100 * interval.low:+.2f}, {100 * interval.high:+.2f}]"
