"""Queueing: Little's law by hand, bounds, and what can't be known."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.queueing import Reading, flow_of, seconds_to_drain, waiting_seconds, wanted_concurrency
from core.errors import InvalidRequest

START = datetime(2026, 11, 2, tzinfo=UTC)


def reading(minutes, depth, arrived, served):
    return Reading(START + timedelta(minutes=minutes), depth, arrived, served)


def wanted(**changes):
    given_ = {"depth": 0, "arrivals": 10.0, "service_seconds": 0.35, "least": 1, "most": 50}
    return wanted_concurrency(**given_ | changes)


def test_rates_come_from_the_counters():
    flow = flow_of([reading(0, 100, 1000, 900), reading(5, 250, 1600, 1350)])
    assert (flow.arrivals, flow.services) == (2.0, 1.5)
    assert flow.net == 0.5
    assert flow.depth == 250


def test_a_counter_that_started_anew_counts_from_zero():
    flow = flow_of([reading(0, 0, 1000, 1000), reading(1, 0, 1060, 1060), reading(2, 0, 30, 30)])
    assert flow.arrivals == pytest.approx(90 / 120)


def test_one_reading_says_nothing_and_disorder_is_an_error():
    assert flow_of([reading(0, 5, 10, 5)]) is None
    for wrong in ([reading(1, 0, 0, 0), reading(0, 0, 0, 0)], [reading(0, 0, 0, 0)] * 2):
        with pytest.raises(InvalidRequest, match="readings: must be in the order of time"):
            flow_of(wrong)


@pytest.mark.parametrize(
    ("depth", "arrivals", "capacity", "seconds"),
    [(0, 5, 0, 0), (100, 2, 4, 50), (100, 4, 4, math.inf), (100, 5, 4, math.inf), (1, 0, 2, 0.5)],
)
def test_a_backlog_drains_by_what_is_left_of_the_capacity(depth, arrivals, capacity, seconds):
    assert seconds_to_drain(depth, arrivals, capacity) == seconds


def test_waiting_follows_littles_law():
    assert waiting_seconds(60, 2) == 30
    assert waiting_seconds(0, 0) == 0
    assert waiting_seconds(1, 0) == math.inf


def test_arrivals_and_backlog_both_ask_for_workers():
    assert wanted().wanted == 5  # 10/s × 0.35 s / 0.7
    assert wanted(depth=6000).wanted == 12  # and 6000 × 0.35 s within 300 s
    assert "12 workers: 5.0 for arrivals, 7.0 for the backlog." in wanted(depth=6000).sentence()


def test_bounds_hold_and_say_so():
    assert wanted(arrivals=0).wanted == 1
    busy = wanted(arrivals=1000)
    assert (busy.wanted, busy.limited) == (50, True)
    assert "at its bound" in busy.sentence()


@given(st.floats(0, 1e6), st.floats(0, 1e4), st.floats(0, 100), st.floats(0, 1e5))
def test_more_load_never_asks_for_fewer_workers(depth, arrivals, seconds, more):
    few = wanted(depth=depth, arrivals=arrivals, service_seconds=seconds).wanted
    assert 1 <= few <= wanted(depth=depth + more, arrivals=arrivals, service_seconds=seconds).wanted <= 50


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"depth": -1}, "depth"), ({"arrivals": math.nan}, "arrivals"), ({"least": 9, "most": 3}, "most"),
     ({"utilisation": 0.0}, "utilisation"), ({"service_seconds": math.inf}, "service_seconds")],
)  # fmt: skip
def test_impossible_input_names_its_field(changes, field):
    with pytest.raises(InvalidRequest, match=f"{field}: "):
        wanted(**changes)
