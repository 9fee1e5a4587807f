"""Which lesson next: what a person's own money says they would profit from, easy before hard, forgotten things again.

Unfinished topics come back at growing distances (two, five, twelve weeks); finished ones never; harder topics of an
area open when the easier one is finished or given up.
"""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

from analytics.advice import advice
from analytics.finance import MonthFigures
from core.errors import InvalidRequest

DATA = Path(__file__).with_name("lessons.toml")
SPACING_DAYS = (14, 35, 84)
"""After the first, second and third time; then a topic is given up."""
LEVELS = ("beginner", "intermediate", "advanced")
MANY_SUBSCRIPTIONS = 4
SIGNALS = (
    "over_budget", "no_budget", "spends_more", "no_goal", "nothing_left", "late_goal", "many_subscriptions",
    "dearer_charge",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Topic:
    """One lesson; `level` from 0."""

    name: str
    area: str
    level: int
    title: str
    summary: str
    points: Sequence[str]
    minutes: int


@dataclass(frozen=True, slots=True)
class Area:
    """Topics that build on each other, and the signals that ask for them."""

    name: str
    gaps: Sequence[str]
    topics: Sequence[Topic]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a person had of a topic: how often, under which key last, when it is due again, whether it is finished."""

    topic: str
    times: int
    last_key: str
    due_on: date
    is_finished: bool

    @property
    def is_behind(self) -> bool:
        """True when it will not come again: finished, or given up."""
        return self.is_finished or self.times > len(SPACING_DAYS)


def signals(figures: MonthFigures) -> frozenset[str]:
    """What a month of money says about knowledge that would help."""
    kinds = {each.kind for each in advice(figures)}
    found = {
        "over_budget": any(row.budget and row.spent > row.budget for row in figures.categories),
        "no_budget": not any(row.budget for row in figures.categories),
        "spends_more": "above_usual" in kinds,
        "no_goal": not figures.goals,
        "nothing_left": figures.income > 0 and figures.net <= 0,
        "late_goal": any(goal.is_late for goal in figures.goals),
        "many_subscriptions": len(figures.recurring) >= MANY_SUBSCRIPTIONS,
        "dearer_charge": any(charge.rose_by > 0 for charge in figures.recurring),
    }
    return frozenset(name for name, holds in found.items() if holds)


def next_topic(learnt: Collection[Learnt], gaps: Collection[str], today: date, key: str) -> Topic | None:
    """The lesson of the period `key`: the one already chosen for it, a due repetition, or the next of the widest gap."""
    by_name = topics()
    known = [each for each in learnt if each.topic in by_name]
    for each in known:
        if each.last_key == key:
            return by_name[each.topic]
    due = [each for each in known if not each.is_behind and each.due_on <= today]
    if due:
        return by_name[min(due, key=lambda each: (each.due_on, each.topic)).topic]
    behind = {each.topic for each in known if each.is_behind}
    begun = {each.topic for each in known}
    for area in sorted(areas().values(), key=lambda area: -len(set(area.gaps) & set(gaps))):
        for topic in area.topics:
            if topic.name in behind:
                continue
            if topic.name not in begun:
                return topic
            break  # the easier one is still under way
    return None


def due_again(times: int, today: date) -> date:
    """When a topic that was sent `times` times comes back."""
    return today + timedelta(days=SPACING_DAYS[min(times, len(SPACING_DAYS)) - 1])


@lru_cache(maxsize=1)
def areas() -> Mapping[str, Area]:
    """All areas by name; InvalidRequest names what is wrong in the file."""
    found = {}
    for name, row in tomllib.loads(DATA.read_text(encoding="utf-8")).items():
        unknown = set(row["gaps"]) - set(SIGNALS)
        if unknown:
            raise InvalidRequest(f"{name}.gaps", f"unknown signals {sorted(unknown)}, known are {SIGNALS}")
        steps = tuple(Topic(area=name, level=level, **topic) for level, topic in enumerate(row["topics"]))
        found[name] = Area(name, tuple(row["gaps"]), steps)
    return found


@lru_cache(maxsize=1)
def topics() -> Mapping[str, Topic]:
    """All topics by name."""
    return {topic.name: topic for area in areas().values() for topic in area.topics}
