"""Sequences of steps: who enters, which step is next and when, and when somebody leaves. Pure decisions over facts.

enrolment + facts + now ─decide▶ Send(step) | Wait(until) | Leave(because); sequences themselves are data (sequences.toml)
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from analytics.assignment import unit_interval
from analytics.local_days import at_hour, local_day, moment
from core.errors import InvalidRequest

DATA = Path(__file__).with_suffix(".toml")
FACTS = ("has_transactions", "has_budget", "has_goal")
COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Variant:
    """One wording of a step."""

    title: str
    body: str = ""
    action_label: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One message: `after_days` local days after the step before, at `hour`, passed over if the fact `unless` holds.

    `path` is the place in the app that it leads to.
    """

    name: str
    after_days: int
    hour: int
    variants: Sequence[Variant]
    unless: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A sequence: its steps and the rules of entering, leaving and entering again."""

    name: str
    steps: Sequence[Step]
    goal: Sequence[str]
    enrol_within_days: int
    inactive_days: int
    reenter_after_days: int
    most_runs: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a person; `holds` are names of FACTS, `may_hear` that some channel allows such mail.

    `heard_at` is when a step of any sequence last reached them, or is on its way to: it may have been put off since.
    """

    user_id: str
    time_zone: str
    joined_at: datetime
    last_active_at: datetime | None
    holds: frozenset[str]
    may_hear: bool
    heard_at: datetime | None = None

    @property
    def seen_at(self) -> datetime:
        """When they last used the app, or joined."""
        return max(self.joined_at, self.last_active_at or self.joined_at)


@dataclass(frozen=True, slots=True)
class Progress:
    """An enrolment as a value; `step` counts the steps behind."""

    user_id: str
    sequence: str
    run: int
    state: str
    left_because: str
    step: int
    next_at: datetime
    last_step_on: date | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Send:
    """Step number `step` (from 0) is due."""

    step: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing before `until`."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Leave:
    """The end: `completed`, goal_reached, unsubscribed or inactive."""

    because: str


def entry(plan: Plan, facts: Facts, earlier: Progress | None, now: datetime) -> Progress | None:
    """A new enrolment when the person may enter (again): newcomers, and those who left inactive and came back."""
    if not facts.may_hear or _reached(plan, facts):
        return None
    if earlier is None:
        if now - facts.joined_at > timedelta(days=plan.enrol_within_days):
            return None
        run = 1
    else:
        came_back = earlier.left_because == "inactive" and facts.seen_at > earlier.updated_at
        rested = now - earlier.updated_at >= timedelta(days=plan.reenter_after_days)
        if earlier.state == "active" or not came_back or not rested or earlier.run >= plan.most_runs:
            return None
        run = earlier.run + 1
    first = plan.steps[0]
    when = moment(now + timedelta(days=first.after_days), facts.time_zone, first.hour)
    return Progress(facts.user_id, plan.name, run, "active", "", 0, when.deliver_after or now, None, now)


def decide(plan: Plan, progress: Progress, facts: Facts, now: datetime) -> Send | Wait | Leave:
    """What an active enrolment asks for now; leaving comes before sending, and there is one step a day at most."""
    if not facts.may_hear:
        return Leave("unsubscribed")
    if _reached(plan, facts):
        return Leave("goal_reached")
    if now - facts.seen_at > timedelta(days=plan.inactive_days):
        return Leave("inactive")
    if progress.next_at > now:
        return Wait(progress.next_at)
    today = local_day(now, facts.time_zone)
    heard_on = None if facts.heard_at is None else local_day(facts.heard_at, facts.time_zone)
    if any(day is not None and day >= today for day in (progress.last_step_on, heard_on)):
        return Wait(now + timedelta(hours=1))
    for number in range(progress.step, len(plan.steps)):
        if plan.steps[number].unless not in facts.holds:
            return Send(number)
    return Leave(COMPLETED)


def moved_on(plan: Plan, progress: Progress, step: int, sent_at: datetime, zone: str) -> Progress:
    """The enrolment after `step` was sent at `sent_at`: the next one is due its days later, or it is completed."""
    day = local_day(sent_at, zone)
    if step + 1 >= len(plan.steps):
        return replace(
            progress,
            step=step + 1,
            state="left",
            left_because=COMPLETED,
            last_step_on=day,
            updated_at=sent_at,
        )
    following = plan.steps[step + 1]
    next_at = at_hour(day + timedelta(days=max(1, following.after_days)), zone, following.hour)
    return replace(progress, step=step + 1, next_at=next_at, last_step_on=day, updated_at=sent_at)


def variant(plan: Plan, step: int, user_id: str) -> tuple[int, Variant]:
    """The wording that a person gets: always the same one, even halves over people, independent between steps."""
    choice = plan.steps[step].variants
    number = int(
        unit_interval(f"sequence/{plan.name}/{plan.steps[step].name}", "variant", user_id) * len(choice)
    )
    return number, choice[number]


@lru_cache(maxsize=1)
def plans() -> Mapping[str, Plan]:
    """All sequences by name; InvalidRequest names what is wrong in the file."""
    found = {}
    for name, row in tomllib.loads(DATA.read_text(encoding="utf-8")).items():
        steps = tuple(
            Step(**{**step, "variants": tuple(Variant(**words) for words in step["variants"])})
            for step in row.pop("steps")
        )
        unknown = {*row["goal"], *(step.unless for step in steps if step.unless)} - set(FACTS)
        if unknown:
            raise InvalidRequest(
                f"{name}.goal / unless", f"unknown facts {sorted(unknown)}, known are {FACTS}"
            )
        found[name] = Plan(name=name, steps=steps, **row)
    return found


def plan_of(name: str) -> Plan:
    """The sequence of that name; InvalidRequest lists those that exist."""
    try:
        return plans()[name]
    except KeyError:
        raise InvalidRequest("sequence", f"{name!r} is none of {', '.join(plans())}") from None


def _reached(plan: Plan, facts: Facts) -> bool:
    return facts.holds.issuperset(plan.goal)
