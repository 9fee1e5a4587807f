"""tend-archive (daily): archived reports leave with their time, or with their person."""

from datetime import datetime, timedelta
from typing import Any

from prefect import flow
from prefect.states import Completed

from analytics.months import Month
from core.clock import utc_now
from core.database import transaction
from core.settings import settings
from core.statements import rows
from delivery import archive

LOOK_BACK = timedelta(days=60)
"""Erasures so long ago are done again: a day on which the archive was away loses none."""


@flow(name="tend-archive", retries=3, retry_delay_seconds=15 * 60)
def tend_archive() -> Any:
    """Deletes reports older than MINGUS_ARCHIVE_MONTHS and all reports of people whose data was erased."""
    now = utc_now()
    before = Month.of(now.date()).plus(-settings().archive_months)
    old = archive.purge(str(before))
    of_erased = sum(archive.erase(user_id) for user_id in _erased(now))
    return Completed(
        message=f"{old} reports of months before {before} and {of_erased} of erased people deleted",
        data={"old": old, "of_erased": of_erased},
    )


def _erased(now: datetime) -> list[str]:
    with transaction() as connection:
        found = rows(
            connection, "SELECT id FROM users WHERE erased_at > %s ORDER BY erased_at", (now - LOOK_BACK,)
        )
    return [user_id for (user_id,) in found]
