"""milestone-reminders (daily): birthdays, goals half-way or reached, streaks; each told once, at most one a day.

people, goals, transactions ─what happened▶ the first that was not told ─▶ accepted under `milestone_reminder:goal-…-100:user`
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

from prefect import flow

from analytics.local_days import moment
from analytics.months import Month
from core.clock import utc_now
from core.database import transaction
from core.statements import execute, rows
from delivery.keys import period_key
from flows.audience import EVERYBODY, Audience, Recipient, people_of
from flows.batch_results import finished
from flows.batch_values import Draft, LeftOut
from flows.batches import Batch, run

HOUR = 10
TYPE = "milestone_reminder"
_TOLD = """
SELECT user_id, idempotency_key, created_at FROM notifications
WHERE user_id = ANY(%s) AND message_type = 'milestone_reminder' AND idempotency_key IS NOT NULL
"""
# NaN is above every number.
_REACHED = """
UPDATE goals SET reached_at = %s WHERE user_id = ANY(%s) AND reached_at IS NULL AND target > 0 AND saved >= target
    AND saved <> 'NaN' AND target <> 'NaN'
"""


@flow(name="milestone-reminders")
def milestone_reminders(audience: Audience = EVERYBODY, dry_run: bool = False) -> Any:
    """What people reached, told once for each milestone."""
    now = utc_now()
    batch = Batch(
        message_type=TYPE,
        period=f"{now:%Y-%m-%d}",
        prepare=partial(milestones, now=now, dry_run=dry_run),
        now=now,
        dry_run=dry_run,
        once=False,
    )
    return finished(batch, run(batch, people_of(audience)))


def milestones(people: Sequence[Recipient], now: datetime, *, dry_run: bool) -> Iterator[Draft | LeftOut]:
    """The first milestone of each person that was not told yet, unless one was accepted within the last 20 hours.

    A birthday does not wait for that. Goals that are reached are noted as such, unless it is a dry run.
    """
    from analytics.finance_load import money_of
    from analytics.load import reader
    from analytics.milestones import STREAKS, birthday, goal_marks, months_in_a_row, streak

    ids = [person.user_id for person in people]
    last = Month.of(now.date()).plus(-1)
    with reader() as connection:
        first = last.plus(-max(STREAKS)).first
        money = money_of(connection, ids, first, last.end, due_from=last.first)
    lengths = months_in_a_row(money.transactions, last)
    born, goals, told, lately = _known(ids, now)
    if not dry_run:
        with transaction() as connection:
            execute(connection, _REACHED, (now, ids))
    for person in people:
        user = person.user_id
        when = moment(now, person.time_zone, HOUR)
        found = [
            *birthday(born.get(user), when.on),
            *goal_marks(goals[user]),
            *streak(lengths.get(user, 0), last),
        ]
        new = [each for each in found if period_key(TYPE, each.key, user) not in told]
        if not new or (user in lately and new[0].kind != "birthday"):
            yield LeftOut(user, "nothing new reached" if not new else "one milestone a day", expected=True)
            continue
        yield Draft(
            user_id=user, payload=payload_of(new[0]), period=new[0].key, deliver_after=when.deliver_after
        )


def payload_of(milestone: Any) -> dict[str, Any]:
    """The payload of message type milestone_reminder."""
    payload: dict[str, Any] = {"kind": milestone.kind, "milestone": milestone.name or milestone.kind}
    if milestone.amount is not None:
        payload |= {"amount": str(milestone.amount), "target": str(milestone.target)}
        payload["percent_reached"] = min(100, int(milestone.amount * 100 / milestone.target))
    if milestone.months:
        payload["months"] = milestone.months
    return payload


def _known(
    ids: Sequence[str], now: datetime
) -> tuple[Mapping[str, date | None], Mapping[str, list[Any]], frozenset[str], frozenset[str]]:
    from analytics.milestones import GoalState

    goals: dict[str, list[Any]] = defaultdict(list)
    with transaction() as connection:
        born: dict[str, date | None] = dict(
            rows(connection, "SELECT id, birthday FROM users WHERE id = ANY(%s)", (list(ids),))
        )
        for user, *goal in rows(
            connection,
            "SELECT user_id, id, name, saved, target FROM goals WHERE user_id = ANY(%s) ORDER BY id",
            (list(ids),),
        ):
            goals[user].append(GoalState(*goal))
        told = rows(connection, _TOLD, (list(ids),))
    lately = frozenset(user for user, _, at in told if (now - at).total_seconds() < 20 * 3600)
    return born, goals, frozenset(key for _, key, _ in told), lately
