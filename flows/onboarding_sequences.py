"""onboarding-sequences (hourly): every person's next step, when its hour has come where they live.

people ─enter? move on? leave?▶ Send(step) ─variant▶ accepted under `onboarding_sequence:welcome-1-budget:user`

An accepted notification is the proof of its step: a run that dies between accepting and writing is made good by the next.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from prefect import flow

from analytics.enrolments import enrolments_of, facts_of, leave, write
from analytics.local_days import moment
from analytics.sequences import Facts, Leave, Plan, Progress, Send, decide, entry, plan_of, variant
from core.clock import utc_now
from core.database import transaction
from core.settings import settings
from flows.audience import EVERYBODY, Audience, Recipient, people_of
from flows.batch_results import finished
from flows.batch_values import Draft, LeftOut
from flows.batches import CHUNK, Batch, run
from flows.enrolments import TYPE, advanced, period_of


@flow(name="onboarding-sequences")
def onboarding_sequences(
    sequence: str = "welcome", audience: Audience = EVERYBODY, dry_run: bool = False
) -> Any:
    """Enrols newcomers, advances everybody of the sequence by at most one step a day, and lets go who is done."""
    now = utc_now()
    plan = plan_of(sequence)
    people = people_of(audience)
    batch = Batch(
        message_type=TYPE,
        period=f"{now:%Y-%m-%dT%H}",
        prepare=partial(steps, plan=plan, now=now, dry_run=dry_run),
        now=now,
        dry_run=dry_run,
        once=False,
    )
    tally = run(batch, people)
    if not dry_run:
        for start in range(0, len(people), CHUNK):
            move_on(plan, [person.user_id for person in people[start : start + CHUNK]])
    return finished(batch, tally)


def steps(people: Sequence[Recipient], plan: Plan, now: datetime, dry_run: bool) -> Iterator[Draft | LeftOut]:
    """The step that is due for each; entering and leaving is written unless it is a dry run."""
    ids = [person.user_id for person in people]
    with transaction() as connection:
        facts = facts_of(connection, ids)
        known = enrolments_of(connection, plan, ids)
        if not dry_run:
            known |= advanced(connection, plan, known, facts)
        entered = {
            user: new for user in ids if (new := entry(plan, facts[user], known.get(user), now)) is not None
        }
        active = {user: each for user, each in (known | entered).items() if each.state == "active"}
        decided = {user: decide(plan, each, facts[user], now) for user, each in active.items()}
        if not dry_run:
            write(connection, entered.values())
            leave(
                connection, plan, {u: each.because for u, each in decided.items() if isinstance(each, Leave)}
            )
    for user in ids:
        match decided.get(user):
            case Send(step):
                yield _draft(plan, active[user], step, facts[user], now)
            case Leave(because):
                yield LeftOut(user, f"left: {because}", expected=True)
            case None:
                yield LeftOut(user, "not enrolled", expected=True)
            case _:
                yield LeftOut(user, "their next step is not due", expected=True)


def move_on(plan: Plan, users: Sequence[str]) -> int:
    """Writes down the steps that were accepted; how many people moved."""
    with transaction() as connection:
        known = enrolments_of(connection, plan, users)
        return len(advanced(connection, plan, known, facts_of(connection, users)))


def _draft(plan: Plan, progress: Progress, step: int, facts: Facts, now: datetime) -> Draft:
    number, words = variant(plan, step, facts.user_id)
    payload: dict[str, Any] = {
        "sequence_step": step + 1,
        "total_steps": len(plan.steps),
        "title": words.title,
    }
    payload |= {name: text for name in ("body", "action_label") if (text := getattr(words, name))}
    if (app := settings().app_url.rstrip("/")) and (path := plan.steps[step].path):
        payload["action_url"] = f"{app}/{path}"
    return Draft(
        user_id=facts.user_id,
        payload=payload,
        period=period_of(plan, progress, step),
        deliver_after=moment(now, facts.time_zone, plan.steps[step].hour).deliver_after,
        campaign=f"{plan.name}/{plan.steps[step].name}/{'abcdefgh'[number]}",
    )
