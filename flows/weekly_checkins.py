"""weekly-checkins (Sundays): how did your week feel, with the week's numbers, in the late afternoon of each person.

transactions ─score of two months, seven days▶ question ─▶ accepted under `weekly_checkin:2025-W05:user`
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from prefect import flow

from analytics.local_days import moment
from analytics.months import Month
from core.clock import utc_now
from flows.audience import EVERYBODY, Audience, Recipient, people_of
from flows.batch_results import finished
from flows.batch_values import Draft, LeftOut
from flows.batches import Batch, run

HOUR = 16


@flow(name="weekly-checkins")
def weekly_checkins(audience: Audience = EVERYBODY, dry_run: bool = False) -> Any:
    """One question for everybody of the audience, once per ISO week."""
    now = utc_now()
    batch = Batch(
        message_type="weekly_checkin",
        period=f"{now:%G-W%V}",
        prepare=partial(checkins, now=now),
        now=now,
        dry_run=dry_run,
    )
    return finished(batch, run(batch, people_of(audience)))


def checkins(people: Sequence[Recipient], now: datetime) -> Iterator[Draft | LeftOut]:
    """A question for each, from one read of nine weeks and two months."""
    from analytics.checkins import question, trend, weeks
    from analytics.finance import month_figures, window_of
    from analytics.finance_load import money_of
    from analytics.load import reader
    from analytics.wellness import wellness

    ids = [person.user_id for person in people]
    last = Month.of(now.date()).plus(-1)
    start = window_of(last.plus(-1))[0]
    today = now.date()
    with reader() as connection:
        money = money_of(connection, ids, start.first, today, due_from=last.first)
    scores = [
        {
            user: score.value
            for user, figures in month_figures(month, ids, money.before(month.end)).figures.items()
            if (score := wellness(figures)) is not None
        }
        for month in (last.plus(-1), last)
    ]
    spent = weeks(money.transactions, today)
    number = int(f"{now:%V}")
    for person in people:
        user = person.user_id
        direction = trend(scores[0].get(user), scores[1].get(user))
        payload: dict[str, Any] = {"question": question(direction, user, number)}
        if user in spent and spent[user].spent > 0:
            payload["spent"] = str(spent[user].spent)
        yield Draft(
            user_id=user, payload=payload, deliver_after=moment(now, person.time_zone, HOUR).deliver_after
        )
