"""Lessons: what fits comes first, easy before hard, unfinished again at growing distances, finished never."""

import itertools
from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from analytics.finance import month_figures
from analytics.spaced_learning import SPACING_DAYS, Learnt, areas, due_again, next_topic, signals, topics
from core.clock import utc_now
from core.database import transaction
from core.statements import rows
from delivery.catalog import message_type
from delivery.content import validate_payload
from flows.audience import Recipient
from flows.educational_content import lessons, payload_of
from tests.batches.money import JULY, day, mayas_months, money, transactions
from tests.delivery.stage import person

TODAY = date(2025, 7, 3)


def learnt(
    topic: str, *, times: int = 1, due: date = TODAY, finished: bool = False, key: str = "before"
) -> Learnt:
    return Learnt(topic, times, key, due, finished)


def chosen(*known: Learnt, gaps: frozenset[str] = frozenset(), key: str = "now") -> str | None:
    found = next_topic(known, gaps, TODAY, key)
    return found.name if found else None


def test_the_area_of_the_widest_gap_comes_first() -> None:
    assert chosen(gaps=frozenset({"no_goal", "late_goal", "spends_more"})) == "first-cushion"
    assert chosen(gaps=frozenset({"dearer_charge"})) == "subscriptions"
    assert chosen() == "budget-basics"


def test_harder_topics_open_when_the_easier_one_is_finished() -> None:
    later = TODAY + timedelta(days=1)
    assert chosen(learnt("budget-basics", finished=True)) == "irregular-costs"
    assert chosen(learnt("budget-basics", due=later)) == "first-cushion"  # still under way: another area
    assert chosen(learnt("budget-basics", times=4, due=later)) == "irregular-costs"  # given up


def test_what_was_not_finished_comes_again_when_it_is_due() -> None:
    assert chosen(learnt("subscriptions"), gaps=frozenset({"no_goal"})) == "subscriptions"
    assert (
        chosen(learnt("subscriptions", due=TODAY + timedelta(days=1)), gaps=frozenset({"no_goal"}))
        == "first-cushion"
    )


def test_the_distances_grow() -> None:
    assert [(due_again(times, TODAY) - TODAY).days for times in (1, 2, 3, 4)] == [14, 35, 84, 84]


def test_when_everything_is_behind_there_is_nothing() -> None:
    assert chosen(*(learnt(name, finished=True) for name in topics())) is None


def test_a_run_that_died_finds_the_topic_that_it_had_chosen() -> None:
    assert chosen(learnt("cooling-off", due=TODAY + timedelta(days=14), key="now")) == "cooling-off"


@given(
    st.sets(st.sampled_from(sorted({gap for area in areas().values() for gap in area.gaps}))),
    st.integers(0, 3),
)
def test_over_three_years_no_topic_comes_too_often_nor_too_soon(gaps: set[str], finishes_every: int) -> None:
    known: dict[str, Learnt] = {}
    when: dict[str, list[date]] = {}
    for week in range(156):
        today = TODAY + timedelta(weeks=week)
        found = next_topic(list(known.values()), gaps, today, str(week))
        if found is None:
            continue
        times = known[found.name].times + 1 if found.name in known else 1
        is_finished = bool(finishes_every) and week % finishes_every == 0
        known[found.name] = Learnt(found.name, times, str(week), due_again(times, today), is_finished)
        when.setdefault(found.name, []).append(today)
    assert set(when) == set(topics())
    for name, days in when.items():
        gaps_between = [(later - earlier).days for earlier, later in itertools.pairwise(days)]
        assert len(days) <= len(SPACING_DAYS) + 1, name
        assert all(between >= wanted for between, wanted in zip(gaps_between, SPACING_DAYS, strict=False)), (
            name
        )


def test_the_signals_of_mayas_july() -> None:
    car = ("maya", "Car", 500_000, 100_000, day("2025-12-31"), day("2025-01-01"))
    frames = money(transactions(*mayas_months()), (("maya", "dining", 30_000),), (car,))
    figures = month_figures(JULY, ["maya"], frames).figures["maya"]
    assert signals(figures) == {"over_budget", "late_goal", "dearer_charge"}


def test_every_lesson_can_be_sent() -> None:
    for topic in topics().values():
        validate_payload(message_type("educational_content"), payload_of(topic))


def test_choosing_twice_in_a_week_counts_once(people: Any) -> None:
    people(person("Maya", 101))
    recipients = [Recipient("user_maya", "en_US", "America/Chicago", frozenset({"email"}))]
    now = utc_now()
    first = list(lessons(recipients, now, dry_run=False))
    assert list(lessons(recipients, now, dry_run=False)) == first
    with transaction() as connection:
        assert rows(connection, "SELECT topic, times FROM lessons") == [("budget-basics", 1)]


def test_a_dry_run_notes_nothing(people: Any) -> None:
    people(person("Maya", 101))
    recipients = [Recipient("user_maya", "en_US", "America/Chicago", frozenset({"email"}))]
    assert len(list(lessons(recipients, utc_now(), dry_run=True))) == 1
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM lessons") == [(0,)]
