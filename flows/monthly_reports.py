"""monthly-reports (on the 1st, and ad hoc): each person's month of money, decided here and sent by the relay.

transactions, budgets, goals ─figures▶ score, advice ─payload▶ accepted under `monthly_report:2025-01:user`
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from prefect import flow
from pydantic import AfterValidator, Field

from analytics.months import Month
from core.clock import utc_now
from flows.audience import EVERYBODY, Audience, Recipient, people_of
from flows.batch_results import finished
from flows.batch_values import Draft, LeftOut
from flows.batches import Batch, run
from flows.report_archive import archived


def _ended(month: str) -> str:
    if Month.parse(month).end > utc_now().date():
        raise ValueError(f"{month} has not ended: a report speaks about whole months")
    return month


EndedMonth = Annotated[
    str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", examples=["2025-01"]), AfterValidator(_ended)
]
"""A month such as 2025-01 that is over."""
Processes = Annotated[int, Field(ge=1, le=64)]
Pictures = Literal["inline", "hosted"]


@flow(name="monthly-reports")
def monthly_reports(
    month: EndedMonth | None = None,
    audience: Audience = EVERYBODY,
    dry_run: bool = False,
    processes: Processes = 1,
    *,
    pictures: Pictures = "inline",
    pdf: bool = False,
) -> Any:
    """Reports of `month` (the last one when empty) for the audience; running it again serves only who is missing.

    Charts need a core's time (some 75 reports a second): give large audiences more `processes`. Mails with `inline`
    pictures are sent one by one, those that show `hosted` ones by the hundred. Every report can be had as a PDF by the
    link in its mail; `pdf` attaches it.
    """
    now = utc_now()
    about = Month.parse(month) if month else Month.of(now.date()).plus(-1)
    batch = Batch(
        message_type="monthly_report",
        period=str(about),
        prepare=partial(reports, month=about, now=now, dry_run=dry_run, hosted=pictures == "hosted", pdf=pdf),
        now=now,
        dry_run=dry_run,
        processes=processes,
    )
    return finished(batch, run(batch, people_of(audience)))


def reports(
    people: Sequence[Recipient],
    month: Month,
    now: datetime,
    *,
    dry_run: bool,
    hosted: bool = False,
    pdf: bool = False,
) -> Iterator[Draft | LeftOut]:
    """One report per person, from one read for all of them; archived first unless it is a dry run."""
    from analytics.charts import charts_of
    from analytics.finance import month_figures, window_of
    from analytics.finance_load import money_of
    from analytics.load import reader
    from analytics.report import payload_of

    start, end = window_of(month)
    ids = [person.user_id for person in people]
    by_id = {person.user_id: person for person in people}
    with reader() as connection:
        money = money_of(connection, ids, start.first, end.first, due_from=month.first)
    result = month_figures(month, ids, money)
    for user_id, reason in result.skipped.items():
        yield LeftOut(user_id, reason)
    drafts = [
        Draft(user_id=user_id, payload=payload_of(figures, charts_of(figures, by_id[user_id].locale)))
        for user_id, figures in result.figures.items()
    ]
    yield from drafts if dry_run else archived(drafts, by_id, str(month), now, hosted=hosted, pdf=pdf)
