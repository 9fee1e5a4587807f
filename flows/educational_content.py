"""educational-content (weekly): one short lesson, chosen by what a person's own money says would help.

lessons so far, last month's figures ─repeat or next topic▶ accepted under `educational_content:2025-W05:user`
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

from prefect import flow

from analytics.local_days import moment
from analytics.months import Month
from analytics.spaced_learning import LEVELS, Learnt, Topic, due_again, next_topic, signals
from core.clock import utc_now
from core.database import transaction
from core.statements import insert_rows, rows
from delivery.keys import period_key
from flows.audience import EVERYBODY, Audience, Recipient, people_of
from flows.batch_results import finished
from flows.batch_values import Draft, LeftOut
from flows.batches import Batch, run

HOUR = 18
TYPE = "educational_content"
# A lesson is finished when the app says so, or when a human clicked in its mail.
_LEARNT = """
SELECT l.user_id, l.topic, l.times, l.last_key, l.due_on,
       l.finished_at IS NOT NULL OR EXISTS (
           SELECT FROM notifications n JOIN delivery_events e ON e.notification_id = n.id
           WHERE n.idempotency_key = l.last_key AND e.kind = 'clicked' AND NOT e.is_machine)
FROM lessons l WHERE l.user_id = ANY(%s)
"""
# Written before the mail is accepted: a run that dies in between finds the same topic under the same key.
_NOTE = """
INSERT INTO lessons (user_id, topic, times, last_key, last_on, due_on) VALUES %s
ON CONFLICT (user_id, topic) DO UPDATE SET times = EXCLUDED.times, last_key = EXCLUDED.last_key,
    last_on = EXCLUDED.last_on, due_on = EXCLUDED.due_on
WHERE lessons.last_key <> EXCLUDED.last_key
"""


@flow(name="educational-content")
def educational_content(audience: Audience = EVERYBODY, dry_run: bool = False) -> Any:
    """One lesson per person and ISO week; nobody gets the same again but to repeat it at growing distances."""
    now = utc_now()
    batch = Batch(
        message_type=TYPE,
        period=f"{now:%G-W%V}",
        prepare=partial(lessons, now=now, dry_run=dry_run),
        now=now,
        dry_run=dry_run,
    )
    return finished(batch, run(batch, people_of(audience), chunk=500))


def lessons(people: Sequence[Recipient], now: datetime, dry_run: bool) -> Iterator[Draft | LeftOut]:
    """The next lesson of each, noted down before it is accepted."""
    ids = [person.user_id for person in people]
    today, week = now.date(), f"{now:%G-W%V}"
    gaps = _gaps(ids, Month.of(today).plus(-1))
    learnt = _learnt(ids)
    chosen: dict[str, Topic] = {}
    notes = []
    for user in ids:
        key = period_key(TYPE, week, user)
        topic = next_topic(learnt[user], gaps.get(user, frozenset()), today, key)
        if topic is not None:
            chosen[user] = topic
            notes.append(_note(user, topic, key, learnt[user], today))
    if not dry_run:
        with transaction() as connection:
            insert_rows(connection, _NOTE, notes)
    for person in people:
        found = chosen.get(person.user_id)
        if found is None:
            yield LeftOut(person.user_id, "nothing new to learn this week", expected=True)
            continue
        when = moment(now, person.time_zone, HOUR, latest=21)
        yield Draft(user_id=person.user_id, payload=payload_of(found), deliver_after=when.deliver_after)


def payload_of(topic: Topic) -> dict[str, Any]:
    """The payload of message type educational_content."""
    return {
        "topic": topic.title,
        "summary": topic.summary,
        "difficulty": LEVELS[topic.level],
        "minutes": topic.minutes,
        "points": list(topic.points),
    }


def _note(user: str, topic: Topic, key: str, learnt: Sequence[Learnt], today: date) -> tuple[object, ...]:
    times = 1 + next((each.times for each in learnt if each.topic == topic.name), 0)
    return user, topic.name, times, key, today, due_again(times, today)


def _learnt(ids: Sequence[str]) -> dict[str, list[Learnt]]:
    found: dict[str, list[Learnt]] = defaultdict(list)
    with transaction() as connection:
        for user, *learnt in rows(connection, _LEARNT, (list(ids),)):
            found[user].append(Learnt(*learnt))
    return found


def _gaps(ids: Sequence[str], month: Month) -> dict[str, frozenset[str]]:
    from analytics.finance import month_figures, window_of
    from analytics.finance_load import money_of
    from analytics.load import reader

    start, end = window_of(month)
    with reader() as connection:
        money = money_of(connection, ids, start.first, end.first, due_from=month.first)
    return {user: signals(figures) for user, figures in month_figures(month, ids, money).figures.items()}
