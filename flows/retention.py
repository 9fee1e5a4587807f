"""retention (daily): months of delivery events come and go as partitions, whole and at once; the rollups stay.

refresh the rollups ─▶ make the months to come ─▶ drop the old ones ─show▶ table
"""

from collections.abc import Sequence
from typing import Annotated, Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed
from pydantic import Field

from core.clock import utc_now
from flows import artifacts

KeepMonths = Annotated[int, Field(ge=2, le=120)]
ALARM = "stray_events"


@flow(name="retention", retries=1, retry_delay_seconds=30 * 60)
def retention(keep_months: KeepMonths = 13) -> Any:
    """Keeps `keep_months` whole months of events before this one (at least 2: the alarms learn from 28 days).

    Args:
        keep_months: whole months before this one that stay

    """
    refresh()
    made, dropped, left = tidy(keep_months)
    show(made, dropped, left)
    return Completed(
        message=finding(made, dropped, left),
        data={"made": made, "dropped": [each.name for each in dropped], "months": len(left)},
    )


@task(cache_policy=NO_CACHE, persist_result=False)
def refresh() -> None:
    """Brings the rollups up to date, so that nothing is dropped uncounted."""
    from analytics import rollups

    rollups.refresh()


@task(cache_policy=NO_CACHE, persist_result=False)
def tidy(keep_months: int) -> tuple[int, list[Any], list[Any]]:
    """How many months were made, which were dropped, and what is left; alarms on events that no month caught."""
    from analytics.alarm_store import Raised, settle_alarms
    from analytics.partitions import drop_months, make_months, partitions, stray_rows
    from core.database import transaction

    now = utc_now()
    with transaction() as connection:
        made = make_months(connection, now=now)
        stray = stray_rows(connection)
        sentence = f"{stray} events lie in no month: a partition was missing, or a clock is far off."
        raised = [Raised("delivery_events_default", sentence, {"events": stray})] if stray else []
        settle_alarms(connection, ALARM, raised, now=now)
    with transaction() as connection:
        dropped = drop_months(connection, keep_months=keep_months, now=now)
    with transaction() as connection:
        return made, dropped, partitions(connection)


def finding(made: int, dropped: Sequence[Any], left: Sequence[Any]) -> str:
    """The run in one sentence."""
    events, size = sum(each.rows for each in left), sum(each.bytes for each in left) / 1e6
    return f"{len(left)} months kept (about {events:,} events, {size:,.1f} MB), {len(dropped)} dropped, {made} made."


def show(made: int, dropped: Sequence[Any], left: Sequence[Any]) -> None:
    """What is kept, month by month."""
    artifacts.table(
        "event-months",
        [
            {
                "partition": each.name,
                "events (about)": each.rows,
                "MB": round(each.bytes / 1e6, 1),
                "state": state,
            }
            for state, months in (("dropped", dropped), ("kept", left))
            for each in months
        ],
        about=f"Months of delivery events; {made} made, {len(dropped)} dropped",
        empty="no partitions",
    )
