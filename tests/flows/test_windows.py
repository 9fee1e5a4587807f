"""Windows: half-open, past, whole five minutes; what is wrong is refused before a run begins."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from core.clock import utc_now
from flows.window import Hours, Window, WindowEnd, slot_of, window_before

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_a_window_ends_at_the_instant_that_is_given():
    assert window_before(NOON, 24, utc_now()) == Window(NOON - timedelta(days=1), NOON)


def test_without_an_end_it_holds_the_five_minutes_under_way():
    window = window_before(None, 24, NOON + timedelta(minutes=3, seconds=20))
    assert window == Window(NOON + timedelta(minutes=5, days=-1), NOON + timedelta(minutes=5))


def test_an_end_in_another_zone_is_the_same_instant():
    [end] = [TypeAdapter(WindowEnd).validate_python("2026-11-02T14:00:00+02:00")]
    assert end == NOON
    assert end.tzinfo is UTC


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("2100-01-01T00:00:00Z", "in the future"),
        ("2026-11-02T12:00:00", "timezone"),
        ("2026-11-02T12:03:00Z", "take 2026-11-02T12:00:00"),
        ("yesterday", "valid datetime"),
    ],
)
def test_an_impossible_end_is_refused_with_the_mend(end, why):
    with pytest.raises(ValidationError, match=why):
        TypeAdapter(WindowEnd).validate_python(end)


@pytest.mark.parametrize("hours", [0, -1, 745])
def test_a_window_of_no_hours_or_of_more_than_a_month_is_refused(hours):
    with pytest.raises(ValidationError):
        TypeAdapter(Hours).validate_python(hours)


def test_a_slot_begins_at_whole_five_minutes():
    assert slot_of(NOON + timedelta(minutes=9, seconds=59)) == NOON + timedelta(minutes=5)
