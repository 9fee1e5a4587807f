"""Moving on in a sequence: an accepted notification is the proof of its step."""

from collections.abc import Mapping

from sqlalchemy import Connection

from analytics.enrolments import write
from analytics.sequences import Facts, Plan, Progress, moved_on
from core.statements import rows
from delivery.keys import period_key

TYPE = "onboarding_sequence"


def period_of(plan: Plan, progress: Progress, step: int) -> str:
    """The period of a step's key: one message per step and run."""
    return f"{plan.name}-{progress.run}-{plan.steps[step].name}"


def advanced(
    connection: Connection, plan: Plan, known: Mapping[str, Progress], facts: Mapping[str, Facts]
) -> dict[str, Progress]:
    """Those whose next steps were accepted meanwhile, moved on and written."""
    keys = {
        period_key(TYPE, period_of(plan, each, step), user): (user, step)
        for user, each in known.items()
        if each.state == "active"
        for step in range(each.step, len(plan.steps))
    }
    found = rows(
        connection,
        "SELECT idempotency_key, greatest(created_at, deliver_after) FROM notifications WHERE idempotency_key = ANY(%s)",
        (list(keys),),
    )
    changed: dict[str, Progress] = {}
    for key, at in sorted(found, key=lambda row: keys[row[0]][1]):
        user, step = keys[key]
        changed[user] = moved_on(plan, changed.get(user, known[user]), step, at, facts[user].time_zone)
    write(connection, changed.values())
    return changed
