"""The send-time model on people whose rhythm is known, and on the public activity when it is here."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.frames import InvalidFrame, UserWithoutZone
from analytics.person_hours import hour_counts, local_hours
from analytics.send_time import (
    fit_rhythms,
    fit_strength,
    kernel,
    prior_curves,
    response_curves,
    smooth,
    ten_thousandths,
    window_scores,
)
from benchmarks.public_data import public_data
from benchmarks.send_time_quality import DATA, OURS, measure
from core.errors import InvalidRequest

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def people(n=600, events=12, seed=0):
    """Early birds around 7:00 and night owls around 22:00, half each."""
    rng = np.random.default_rng(seed)
    owl = rng.random(n) < 0.5
    counts = np.zeros((n, 24))
    for person in range(n):
        hours = (np.where(owl[person], 22, 7) + rng.normal(0, 1.5, rng.poisson(events) + 1)).round().astype(
            int
        ) % 24
        np.add.at(counts[person], hours, 1)
    return counts, owl


def activity(*rows):
    frame = pd.DataFrame(rows, columns=["user_id", "at", "weight"])
    return frame.assign(
        at=pd.to_datetime(frame["at"], utc=True).astype("datetime64[us, UTC]"),
        weight=frame["weight"].astype(float),
    )


def zones(**known):
    return pd.DataFrame({"user_id": list(known), "time_zone": pd.Series(list(known.values()), dtype="str")})


def test_one_event_tells_an_owl_from_an_early_bird():
    counts, _ = people()
    rhythms = fit_rhythms(counts)
    one = np.zeros((3, 24))
    one[0, 22], one[1, 7] = 1, 1
    curves = window_scores(response_curves(one, rhythms))
    assert curves[0].argmax() in (20, 21, 22)
    assert curves[1].argmax() in (5, 6, 7)


def test_a_person_without_events_gets_the_populations_curve():
    rhythms = fit_rhythms(people()[0])
    curve = response_curves(np.zeros((1, 24)), rhythms)[0]
    assert curve == pytest.approx(rhythms.population, abs=1e-6)


def test_many_own_events_outweigh_everybody_else():
    own = np.zeros((1, 24))
    own[0, 14] = 3000
    curves = response_curves(own, fit_rhythms(people()[0]))
    assert window_scores(curves).argmax() in (12, 13, 14)


def test_the_strength_is_high_where_people_are_alike_and_low_where_they_differ():
    rng = np.random.default_rng(2)
    curve = np.ones(24) / 24
    alike = rng.multinomial(20, curve, 2000)
    different = np.stack([rng.multinomial(20, rng.dirichlet(curve * 47)) for _ in range(3000)])
    assert fit_strength(alike) > 500
    assert fit_strength(different) == pytest.approx(47, rel=0.15)


@given(st.lists(st.lists(st.floats(0, 50), min_size=24, max_size=24), min_size=1, max_size=5))
def test_curves_are_shares_of_the_day_and_smoothing_keeps_the_number_of_events(rows):
    counts = np.array(rows)
    rhythms = FITTED
    for curves in (prior_curves(counts, rhythms), response_curves(counts, rhythms)):
        assert np.all(curves >= 0)
        assert curves.sum(axis=1) == pytest.approx(np.ones(len(counts)), abs=1e-4)
    assert smooth(counts).sum(axis=1) == pytest.approx(counts.sum(axis=1))
    assert window_scores(response_curves(counts, rhythms)).sum(axis=1) == pytest.approx(
        np.full(len(counts), 3), abs=1e-3
    )


FITTED = fit_rhythms(people(n=200)[0])


def test_the_kernel_is_symmetric_around_the_clock_and_midnight_is_next_to_eleven():
    weights = kernel()
    assert weights.sum() == pytest.approx(1)
    assert weights[1] == pytest.approx(weights[23])
    assert weights[0] > weights[1] > weights[2]
    midnight = np.zeros((1, 24))
    midnight[0, 0] = 1
    assert smooth(midnight)[0, 23] == pytest.approx(weights[1])


def test_a_warm_start_arrives_sooner_at_the_same_place():
    counts, _ = people()
    cold = fit_rhythms(counts)
    warm = fit_rhythms(counts, start=cold)
    assert warm.rounds <= cold.rounds
    assert warm.log_likelihood >= cold.log_likelihood


def test_few_people_get_few_components_and_nobody_is_a_clear_error():
    assert len(fit_rhythms(people(n=60)[0]).weights) == 2
    assert len(fit_rhythms(people(n=3)[0]).weights) == 1
    for fit in (fit_rhythms, fit_strength):
        with pytest.raises(InvalidRequest, match="counts: nobody has an event"):
            fit(np.zeros((5, 24)))


def test_stored_numbers_are_small_and_sum_to_ten_thousand():
    small = ten_thousandths(response_curves(people(n=50)[0], FITTED))
    assert small.dtype == np.int16
    assert np.all(np.abs(small.sum(axis=1) - 10_000) <= 12)


def test_mayas_hours_follow_her_zone_through_the_change_of_clocks():
    rows = activity(
        ("maya", "2026-10-31T13:00Z", 1), ("maya", "2026-11-02T13:00Z", 1), ("jamal", "2026-11-01T22:30Z", 1)
    )
    local = local_hours(rows, zones(maya="America/New_York", jamal="Asia/Kolkata"))
    assert local["local_hour"].to_list() == [9, 8, 4]
    assert local["local_weekday"].to_list() == [5, 0, 0]


def test_a_person_without_a_zone_is_named_unless_a_default_is_given():
    rows = activity(("priya", "2026-11-01T13:00Z", 1))
    with pytest.raises(UserWithoutZone, match=r"time_zone: unknown for 1 people, e.g. priya"):
        local_hours(rows, zones(maya="America/New_York"))
    assert local_hours(rows, zones(maya="America/New_York"), default_zone="UTC")["local_hour"].to_list() == [
        13
    ]
    with pytest.raises(InvalidFrame, match="'Mars/Base' is no IANA zone"):
        local_hours(rows, zones(priya="Mars/Base"))


def test_an_hour_counts_once_with_its_greatest_weight_and_halves_in_a_year():
    rows = activity(
        ("maya", NOW - timedelta(days=365), 1), ("maya", NOW - timedelta(minutes=5), 0.5),
        ("maya", NOW - timedelta(minutes=7), 1), ("maya", NOW, 0.5), ("jamal", NOW + timedelta(hours=2), 1),
    ).assign(local_hour=[8, 9, 9, 12, 14])  # fmt: skip
    found = hour_counts(rows, now=NOW)
    assert found.skewed == 1
    maya = found.of(pd.Index(["maya", "nobody"])).counts
    assert maya[0, [8, 9, 12]] == pytest.approx([0.5, 1.0, 0.5], abs=1e-3)
    assert maya[1].sum() == 0
    forever = hour_counts(rows, now=NOW, half_life_days=math.inf)
    assert forever.counts[0].sum() == pytest.approx(2.5)


def test_no_events_give_no_people():
    found = hour_counts(activity().assign(local_hour=pd.Series(dtype="int8")), now=NOW)
    assert found.counts.shape == (0, 24)
    assert found.of(pd.Index(["maya"])).counts.shape == (1, 24)


@pytest.mark.skipif(public_data(DATA) is None, reason="the public activity data is not here")
def test_on_real_people_the_model_is_no_worse_than_any_baseline_and_better_overall():
    rows = pd.DataFrame(measure(public_data(DATA)))
    table = rows.pivot_table(index="method", columns="bucket", values="share", sort=False)
    for baseline in table.index.drop(OURS):
        assert (table.loc[OURS] >= table.loc[baseline] - 0.5).all(), table
    assert table.loc[OURS, "all"] >= 23.5
