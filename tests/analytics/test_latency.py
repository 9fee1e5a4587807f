"""Latency histograms: any percentile within 2 %, and merging is the same as having seen everything."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.frames import InvalidFrame
from analytics.latency import GROWTH, RELATIVE_ERROR, bucket_of, histogram, latency_of, merge, percentiles
from core.errors import InvalidRequest

latencies = st.lists(st.floats(1, 1e8), min_size=1, max_size=200)


def frame(values, channel="sms"):
    return pd.DataFrame({"milliseconds": np.array(values, dtype=float), "channel": channel})


@given(latencies)
def test_every_percentile_is_within_two_percent_of_the_true_one(values):
    found = percentiles(histogram(frame(values)), wanted=(1, 50, 90, 95, 99, 100))
    ordered = np.sort(values)
    for row in found.itertuples():
        true = ordered[max(1, math.ceil(row.percentile / 100 * len(ordered) - 1e-9)) - 1]
        assert row.milliseconds == pytest.approx(true, rel=0.02)


@given(latencies, latencies)
def test_merged_histograms_equal_the_histogram_of_everything(these, those):
    merged = merge([histogram(frame(these), ["channel"]), histogram(frame(those), ["channel"])], ["channel"])
    pd.testing.assert_frame_equal(merged, histogram(frame(these + those), ["channel"]))


def test_the_growth_keeps_the_promise_of_two_percent():
    assert RELATIVE_ERROR < 0.02
    assert bucket_of([0, 0.4, 1, GROWTH, 1000]).tolist() == [0, 0, 0, 1, 173]
    assert latency_of(173) == pytest.approx(1000, rel=0.02)


def test_percentiles_come_per_group():
    both = pd.concat([frame([100] * 99 + [5000]), frame([900] * 10, "email")])
    found = percentiles(histogram(both, ["channel"]), ["channel"], wanted=(50, 100)).set_index(
        ["channel", "percentile"]
    )
    assert found.loc[("sms", 100.0), "milliseconds"] == pytest.approx(5000, rel=0.02)
    assert found.loc[("sms", 50.0), "milliseconds"] == pytest.approx(100, rel=0.02)
    assert found.loc[("email", 50.0), "total"] == 10


def test_nothing_gives_no_rows_with_the_right_columns():
    empty = histogram(frame([]))
    assert len(empty) == 0
    assert list(percentiles(empty).columns) == ["percentile", "milliseconds", "total"]
    assert len(percentiles(empty)) == 0


@pytest.mark.parametrize("bad", [-1.0, math.nan])
def test_a_latency_of_a_skewed_clock_is_refused(bad):
    with pytest.raises(InvalidRequest, match="milliseconds: negative or missing"):
        bucket_of([5.0, bad])


def test_a_missing_column_and_an_impossible_percentile_are_named():
    with pytest.raises(InvalidFrame, match="took: the frame has no such column"):
        histogram(frame([1]), value="took")
    with pytest.raises(InvalidRequest, match="wanted: percentiles lie between 0 and 100"):
        percentiles(histogram(frame([1])), wanted=(101,))
