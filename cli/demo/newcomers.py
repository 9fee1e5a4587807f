"""People who joined in the last days: some have connected an account, all are somewhere in the onboarding sequence."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from analytics.enrolments import facts_of, write
from analytics.local_days import zone_of
from analytics.sequences import Facts, Plan, Progress, entry, moved_on, plan_of
from cli.demo.population import PLACES, SEED, Place, person, transactions
from core.statements import insert_rows, rows
from delivery.people import add_people

NEWCOMERS = 48
AWAKE = 16
"""So many live where it is day, so that the next hour of the sequence is theirs whenever the demo runs."""
SEQUENCE = "welcome"


def load(connection: Connection, *, now: datetime) -> list[str]:
    """Write them beside everybody else, with the steps that they have behind them; their ids."""
    earlier = int(rows(connection, "SELECT count(*) FROM users")[0][0])
    dice = random.Random(SEED + earlier)
    day = [place for place in PLACES if 10 <= now.astimezone(zone_of(place.zone)).hour < 17]
    people = [
        person(
            earlier + number, dice, _place(dice, day if number < AWAKE else PLACES),
            joined=now - timedelta(hours=dice.uniform(2, 12 * 24)),
        )
        for number in range(NEWCOMERS)
    ]  # fmt: skip
    add_people(connection, people, known=True)
    ids = [each.id for each in people]
    _accounts(connection, dice.sample(ids, NEWCOMERS // 3), dice, now)
    plan = plan_of(SEQUENCE)
    walked = [_walked(plan, facts, now) for facts in facts_of(connection, ids).values()]
    write(connection, [each for each in walked if each is not None])
    return ids


def _place(dice: random.Random, places: Sequence[Place]) -> Place:
    return dice.choices(places, [each.weight for each in places])[0]


def _accounts(connection: Connection, ids: Sequence[str], dice: random.Random, now: datetime) -> None:
    """An account with the movements of this month: the step that asks for one is passed over."""
    insert_rows(
        connection,
        "INSERT INTO transactions (id, user_id, booked_on, amount, category, merchant) VALUES %s",
        [
            row
            for user in ids
            for row in transactions(
                user, dice.randint(2400, 6800), dice, now.date().replace(day=1), now.date()
            )
        ],
    )


def _walked(plan: Plan, facts: Facts, now: datetime) -> Progress | None:
    """The enrolment as hourly runs since they joined would have left it, yesterday's step the last one."""
    progress = entry(plan, replace(facts, holds=frozenset()), None, facts.joined_at)
    while (
        progress is not None and progress.state == "active" and now - progress.next_at > timedelta(hours=24)
    ):
        progress = moved_on(plan, progress, progress.step, progress.next_at, facts.time_zone)
    return progress
