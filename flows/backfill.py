"""backfill (ad hoc): the reports of days past, computed again and put in place of what was there.

days × reports ─one step each, threads or Dask▶ figures, failures, patterns in Postgres ─show▶ a row per day
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed
from pydantic import Field

from core.clock import utc_now
from core.errors import InvalidRequest
from flows import artifacts
from flows.runner import fan_out
from flows.window import PastDay, Window, window_of_day

MOST_DAYS = 400
What = Literal["delivery", "failures", "engagement"]
Whats = Annotated[list[What], Field(min_length=1)]


@flow(name="backfill")
def backfill(
    first: PastDay | None = None,
    last: PastDay | None = None,
    what: Whats = ["delivery", "failures", "engagement"],  # noqa: B006  Prefect copies it
) -> Any:
    """Reports of every UTC day from `first` to `last`, both included; running it again changes nothing.

    Args:
        first: a UTC day that is over; `last` when empty, yesterday when both are
        last: a UTC day that is over; `first` when empty
        what: which reports

    """
    days = days_between(first, last, utc_now().date() - timedelta(days=1))
    refresh()
    wanted = list(dict.fromkeys(what))
    found = fan_out(compute, [{"what": each, "day": day} for day in days for each in wanted])
    rows = [
        {
            "day": day.isoformat(),
            **{name: found[number * len(wanted) + place] for place, name in enumerate(wanted)},
        }
        for number, day in enumerate(days)
    ]
    artifacts.table("backfill", rows, about=f"What was computed again, {days[0]} to {days[-1]}", empty="")
    return Completed(message=f"{len(days)} days, {', '.join(wanted)}: {days[0]} to {days[-1]}.", data=rows)


def days_between(first: date | None, last: date | None, yesterday: date) -> list[date]:
    """Every day of [first, last]; one end alone means that day, none means yesterday. InvalidRequest when impossible."""
    start, end = first or last or yesterday, last or first or yesterday
    count = (end - start).days + 1
    if not 1 <= count <= MOST_DAYS:
        raise InvalidRequest("first", f"{start} to {end} is no span of 1 to {MOST_DAYS} days")
    return [start + timedelta(days=number) for number in range(count)]


@task(cache_policy=NO_CACHE, persist_result=False)
def refresh() -> None:
    """Brings the rollups up to date."""
    from analytics import rollups

    rollups.refresh()


@task(cache_policy=NO_CACHE, persist_result=False, retries=2, retry_delay_seconds=5)
def compute(what: What, day: date) -> str:
    """One report of one day, kept; what it found, in a few words."""
    return REPORTS[what](day)


def _delivery(day: date) -> str:
    from flows import track_delivery_rates as delivery

    window = window_of_day(day)
    figures = delivery.measure.fn(window)
    delivery.keep.fn(window, figures, is_current=False)
    return delivery.finding(figures, [])


def _failures(day: date) -> str:
    from flows import process_failed_messages as failed

    window = window_of_day(day)
    triaged, causes = failed.judge.fn(window)
    failed.keep.fn(window, triaged, causes)
    return f"{sum(row['failures'] for row in triaged):,} failures, {len(causes)} causes above the usual"


def _engagement(day: date) -> str:
    from flows import analyze_user_engagement as engagement

    window: Window = window_of_day(day, engagement.PATTERNS_FROM)
    patterns = engagement.look.fn(window, engagement.NO_SCORES)
    engagement.keep.fn(window, engagement.NO_SCORES, patterns)
    return _sent(patterns["funnel"])


def _sent(funnel: Sequence[Mapping[str, Any]]) -> str:
    steps = [row for row in funnel if row["step"] == "sent"]
    return ", ".join(f"{row['count']:,} by {row['channel']}" for row in steps) or "nothing was sent"


REPORTS: Mapping[str, Callable[[date], str]] = {
    "delivery": _delivery,
    "failures": _failures,
    "engagement": _engagement,
}
