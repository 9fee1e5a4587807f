"""tend-archive (daily): archived reports leave with their time, and all of a person with the person."""

from typing import Any

from prefect import flow
from prefect.states import Completed

from analytics.months import Month
from core.clock import utc_now
from core.settings import settings
from delivery import archive, erasure


@flow(name="tend-archive", retries=3, retry_delay_seconds=15 * 60)
def tend_archive() -> Any:
    """Deletes reports older than MINGUS_ARCHIVE_MONTHS, and what was left of people whose data was erased."""
    now = utc_now()
    before = Month.of(now.date()).plus(-settings().archive_months)
    old = archive.purge(str(before))
    of_erased = erasure.sweep(now)
    return Completed(
        message=f"{old} reports of months before {before} and {of_erased} of erased people deleted",
        data={"old": old, "of_erased": of_erased},
    )
