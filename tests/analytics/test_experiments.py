"""Experiments: the golden numbers of published tests, guards, and how often each rule is wrong."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analytics.assignment import arm_of, unit_interval
from analytics.experiments import (
    Trust,
    benjamini_hochberg,
    compare_shares,
    guards,
    harm_p_value,
    holm,
    newcombe,
    sample_ratio,
    sample_size,
    two_proportion_z,
)
from analytics.metrics import compare, cuped, mean_of, ratio_of
from analytics.sequential import bound, confidence_sequence, decide, simulate
from benchmarks.public_data import public_data
from core.errors import InvalidRequest

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
HILLSTROM, UPWORTHY = "hillstrom_email_64k.csv.gz", "upworthy_exploratory_4873_tests.csv.gz"
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_hillstroms_mail_test_gives_the_golden_numbers():
    mens = compare_shares(3894, 21307, 2262, 21306)
    assert mens.z == pytest.approx(22.4860, abs=5e-5)
    assert mens.difference == pytest.approx(0.07659, abs=5e-6)
    assert (mens.low, mens.high) == (pytest.approx(0.06995, abs=5e-6), pytest.approx(0.08323, abs=5e-6))
    assert two_proportion_z(3238, 21387, 2262, 21306) == pytest.approx(13.9492, abs=5e-5)
    assert two_proportion_z(267, 21307, 122, 21306) == pytest.approx(7.3851, abs=5e-5)
    ratio = sample_ratio([21307, 21387, 21306])
    assert (ratio.chi2, ratio.p_value) == (pytest.approx(0.2025, abs=5e-5), pytest.approx(0.9037, abs=5e-5))
    assert ratio.trust is Trust.FINE


def test_cookie_cats_warns_of_its_sample_ratio():
    ratio = sample_ratio([44_700, 45_489])
    assert (ratio.chi2, ratio.p_value) == (pytest.approx(6.9024, abs=5e-5), pytest.approx(0.00861, abs=5e-6))
    assert ratio.trust is Trust.WARNS
    assert two_proportion_z(8502, 44_700, 8279, 45_489) == pytest.approx(3.1644, abs=5e-5)


@pytest.mark.skipif(public_data(HILLSTROM) is None, reason="the public data is not here")
def test_hillstroms_spend_has_the_golden_standard_error():
    data = pd.read_csv(public_data(HILLSTROM))
    arms = {name: rows["spend"].to_numpy() for name, rows in data.groupby("segment")}
    effect = compare(mean_of(arms["Mens E-Mail"]), mean_of(arms["No E-Mail"]))
    assert effect.difference == pytest.approx(0.7698, abs=5e-5)
    assert effect.difference / effect.z == pytest.approx(0.1452, abs=5e-5)


@pytest.mark.skipif(public_data(UPWORTHY) is None, reason="the public data is not here")
def test_the_sample_ratio_finds_upworthys_badly_randomised_weeks():
    data = pd.read_csv(public_data(UPWORTHY))
    tests = data.groupby("clickability_test_id").agg(sizes=("impressions", list), week=("test_week", "first"))
    bad = np.array([sample_ratio(sizes).p_value < 0.01 for sizes in tests["sizes"]])
    weeks = tests["week"].between(201326, 201402).to_numpy()
    assert (int(weeks.sum()), int((~weeks).sum())) == (1055, 3818)
    assert 100 * bad[weeks].mean() == pytest.approx(75.5, abs=0.05)
    assert 100 * bad[~weeks].mean() == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize(("base", "changed", "people"), [(0.10, 0.11, 14_751), (0.02, 0.024, 21_109)])
def test_sample_sizes_are_the_golden_ones(base, changed, people):
    assert sample_size(base, changed) == people


def test_five_looks_keep_the_promised_error_and_save_a_quarter_of_the_messages():
    people = sample_size(0.10, 0.11, power=0.90)
    assert simulate(people, 0.10, 0.10, rule="group sequential").claims == pytest.approx(0.049, abs=0.006)
    with_effect = simulate(people, 0.10, 0.11, rule="group sequential")
    assert with_effect.claims == pytest.approx(simulate(people, 0.10, 0.11, rule="fixed").claims, abs=0.015)
    assert with_effect.messages == pytest.approx(0.73, abs=0.02)


def test_peeking_is_wrong_thirty_percent_of_the_time_and_a_confidence_sequence_hardly_ever():
    people = sample_size(0.10, 0.11)
    assert simulate(people, 0.10, 0.10, rule="peeking").claims > 0.25
    assert simulate(people, 0.10, 0.10, rule="sequence").claims < 0.05


def test_bounds_fall_and_the_last_look_decides():
    assert [round(bound(look), 3) for look in (1, 5)] == [4.562, 2.040]
    assert [decide(look, z).decision for look, z in ((1, 4.5), (1, 4.6), (5, -2.05), (5, 2.0))] == [
        "continue", "effect", "effect", "no effect",
    ]  # fmt: skip
    with pytest.raises(InvalidRequest, match="look: looks are numbered 1 to 5"):
        bound(6)


def test_a_confidence_sequence_narrows_and_needs_an_observation():
    low, high = confidence_sequence(0.0, 1.0, np.array([100, 1000, 10_000]))
    assert np.all(np.diff(high - low) < 0)
    assert high[1] > 1.96 / np.sqrt(1000)
    with pytest.raises(InvalidRequest, match="n: a confidence sequence starts"):
        confidence_sequence(0.0, 1.0, 0)


def test_arms_have_their_shares_and_a_new_salt_draws_anew():
    split = {"control": 0.5, "short": 0.3, "long": 0.2}
    users = [f"user-{number}" for number in range(30_000)]
    first = [arm_of("subject-line", user, split, salt="a") for user in users]
    again = [arm_of("subject-line", user, split, salt="a") for user in users]
    other = [arm_of("subject-line", user, split, salt="b") for user in users]
    counted = Counter(first)
    assert first == again
    assert sample_ratio([counted[arm] for arm in split], list(split.values())).p_value > 0.001
    assert stats.chi2_contingency(pd.crosstab(np.array(first), np.array(other))).pvalue > 0.001


def test_the_holdout_comes_first_and_is_the_same_for_every_experiment():
    split = {"control": 0.5, "short": 0.5}
    held = {
        name: {
            user for user in map(str, range(5000)) if arm_of(name, user, split, salt="a", holdout=0.1) is None
        }
        for name in ("subject-line", "send-time")
    }
    assert held["subject-line"] == held["send-time"]
    assert len(held["send-time"]) == pytest.approx(500, abs=80)


@given(st.text(), st.text(), st.text())
def test_the_hash_is_in_the_unit_interval(experiment, salt, user):
    assert 0 <= unit_interval(experiment, salt, user) < 1


@pytest.mark.parametrize("split", [{}, {"a": 0.5, "b": 0.4}, {"a": 1.5, "b": -0.5}])
def test_a_split_that_is_none_is_refused(split):
    with pytest.raises(InvalidRequest, match="split: shares must be positive and sum to 1"):
        arm_of("x", "maya", split, salt="a")


def test_the_delta_method_agrees_with_a_bootstrap_over_persons():
    rng = np.random.default_rng(4)
    sent = rng.poisson(8, 3000) + 1
    clicked = rng.binomial(sent, rng.beta(2, 8, 3000))
    estimate = ratio_of(clicked, sent)
    picks = rng.integers(0, 3000, (2000, 3000))
    bootstrap = clicked[picks].sum(axis=1) / sent[picks].sum(axis=1)
    assert estimate.value == pytest.approx(clicked.sum() / sent.sum())
    assert estimate.se == pytest.approx(bootstrap.std(), rel=0.08)


def test_cuped_keeps_the_effect_and_loses_the_explained_variance():
    rng = np.random.default_rng(6)
    before = rng.normal(10, 3, 20_000)
    arms = rng.integers(0, 2, 20_000)
    after = before + rng.normal(0, 2, 20_000) + 0.3 * arms
    adjusted = cuped(after, before, arms)
    plain = compare(mean_of(after[arms == 1]), mean_of(after[arms == 0]))
    freed = compare(mean_of(adjusted[arms == 1]), mean_of(adjusted[arms == 0]))
    assert freed.low < 0.3 < freed.high
    assert (freed.high - freed.low) / (plain.high - plain.low) == pytest.approx(2 / np.sqrt(13), abs=0.02)
    assert cuped([1.0, 2.0], [5.0, 5.0], [0, 1]).tolist() == [1.0, 2.0]


def test_holm_and_benjamini_hochberg_give_the_textbook_values():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert len(holm([])) == len(benjamini_hochberg([])) == 0


@given(p_values)
def test_adjusting_only_raises_p_and_holm_is_the_stricter(p):
    strict, lax = holm(p), benjamini_hochberg(p)
    assert np.all(strict >= lax - 1e-12)
    assert np.all(lax >= np.array(p) - 1e-12)
    assert np.all(strict <= 1)
    assert lax == pytest.approx(stats.false_discovery_control(p))


@given(st.integers(1, 500), st.integers(1, 500), st.data())
def test_newcombe_holds_the_difference_within_minus_one_and_one(total, control_total, data):
    hits, control_hits = data.draw(st.integers(0, total)), data.draw(st.integers(0, control_total))
    low, high = newcombe(hits, total, control_hits, control_total)
    assert -1 - 1e-12 <= low <= hits / total - control_hits / control_total + 1e-12
    assert hits / total - control_hits / control_total - 1e-12 <= high <= 1 + 1e-12


def test_guards_say_why_no_verdict_may_be_given():
    fine = {"sizes": [5000, 5010], "split": None, "start": MONDAY, "end": MONDAY + timedelta(days=14)}
    assert guards(**fine) == []
    assert "sample-ratio mismatch" in guards(**fine | {"sizes": [5000, 6000]})[0]
    assert "whole weeks" in guards(**fine | {"end": MONDAY + timedelta(days=10)})[0]
    assert "Twilio, 3 November" in guards(**fine, incidents=["Twilio, 3 November"])[0]


def test_a_guard_rail_looks_only_for_harm():
    assert harm_p_value(40, 1000, 20, 1000) < 0.01
    assert harm_p_value(20, 1000, 40, 1000) > 0.99


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare_shares(0, 0, 1, 10), "total: nobody was exposed"),
        (lambda: compare_shares(11, 10, 1, 10), "successes: must lie between"),
        (lambda: sample_ratio([10]), "sizes: two arms at least"),
        (lambda: sample_ratio([10, 10], [1.0]), "split: one positive share"),
        (lambda: sample_size(0.1, 0.1), "changed: two different shares"),
        (lambda: mean_of([1.0]), "values: two persons"),
        (lambda: ratio_of([1, 2], [0, 0]), "denominators: sum to 0"),
        (lambda: cuped([1.0, 2.0], [1.0], [0, 1]), "before: one value for each person"),
    ],
)
def test_impossible_input_is_refused_with_the_field(call, message):
    with pytest.raises(InvalidRequest, match=message):
        call()
