"""backfill: days past are computed again, in place of what was there, and nothing else is touched."""

from datetime import date, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from core.clock import utc_now
from core.database import transaction
from core.errors import InvalidRequest
from core.statements import rows
from flows import backfill as flow
from flows.window import PastDay

YESTERDAY = date(2026, 11, 1)


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        (None, None, [date(2026, 11, 1)]),
        (date(2026, 10, 30), None, [date(2026, 10, 30)]),
        (None, date(2026, 10, 30), [date(2026, 10, 30)]),
        (date(2026, 10, 30), date(2026, 11, 1), [date(2026, 10, 30), date(2026, 10, 31), date(2026, 11, 1)]),
    ],
)
def test_the_days_are_those_between_both_ends(first, last, days):
    assert flow.days_between(first, last, YESTERDAY) == days


@pytest.mark.parametrize("first", [date(2026, 11, 2), date(2020, 1, 1)])
def test_a_span_of_no_days_or_of_years_is_refused(first):
    with pytest.raises(InvalidRequest, match="is no span"):
        flow.days_between(first, YESTERDAY, YESTERDAY)


def test_a_day_that_is_not_over_is_refused_before_the_run():
    with pytest.raises(ValidationError, match="is not over"):
        TypeAdapter(PastDay).validate_python(utc_now().date())


def kept():
    with transaction() as connection:
        return (
            rows(
                connection,
                "SELECT window_start, grouping, name, figures FROM delivery_rates ORDER BY 1, 2, 3",
            ),
            rows(connection, "SELECT name, window_start, body FROM reports ORDER BY 1, 2"),
        )


@pytest.mark.slow
def test_three_days_are_computed_for_all_reports_and_a_second_run_changes_nothing(
    prefect_server, redis, past
):
    past(200, days=6)
    last = utc_now().date() - timedelta(days=1)
    first = last - timedelta(days=2)
    state = flow.backfill(first=first, last=last, return_state=True)
    assert state.is_completed()
    assert state.message == f"3 days, delivery, failures, engagement: {first} to {last}."
    days = state.result()
    assert [row["day"] for row in days] == [str(first + timedelta(days=n)) for n in range(3)]
    assert all("sent for $" in row["delivery"] for row in days)
    before = kept()
    assert len({start for start, *_ in before[0]}) == 3
    assert [name for name, *_ in before[1]] == ["engagement"] * 3 + ["failures"] * 3
    assert redis.exists("mingus:analytics:delivery_rates") == 0  # the past is not what is true now
    flow.backfill(first=first, last=last)
    assert kept() == before


@pytest.mark.slow
def test_a_day_on_which_nothing_happened_says_so(prefect_server, redis, database):
    [row] = flow.backfill(return_state=True).result()
    assert row["delivery"] == "Nothing was sent in this window."
    assert row["failures"].startswith("0 failures")
    assert row["engagement"] == "nothing was sent"
