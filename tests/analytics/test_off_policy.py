"""Off-policy estimates against a world whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from analytics.frames import InvalidFrame
from analytics.off_policy import effective_sample, measured_uplift
from core.errors import InvalidRequest


def nothing(hour, _):
    return np.zeros(len(hour))


def world(people=4000, *, sends=5, gain=0.1, explored=0.5, seed=1, guess=nothing):
    """Each person has one good hour of four; the default is hour 0 and the model knows the good one."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), sends)
    good = np.repeat(rng.integers(0, 4, people), sends)
    explores = rng.random(len(person)) < explored
    taken = np.where(explores, rng.integers(0, 4, len(person)), good)
    propensity = explored / 4 + np.where(taken == good, 1 - explored, 0)
    reward = (rng.random(len(person)) < 0.2 + gain * (taken == good)).astype(float)
    return pd.DataFrame(
        {
            "user_id": person, "propensity": propensity, "reward": reward, "target": (taken == good).astype(float),
            "baseline": (taken == 0).astype(float), "predicted": guess(taken, good),
            "predicted_target": guess(good, good), "predicted_baseline": guess(np.zeros_like(good), good),
        }
    )  # fmt: skip


def test_all_three_estimators_find_the_true_uplift_inside_their_intervals():
    uplift = measured_uplift(world())
    for estimate in (uplift.ips, uplift.snips, uplift.dr):
        assert estimate.low < 0.075 < estimate.high
        assert estimate.excludes_zero
    assert uplift.personalise
    assert "on." in uplift.sentence()


def test_a_good_model_narrows_the_doubly_robust_interval_and_a_wrong_one_does_not_bias_it():
    plain = measured_uplift(world()).dr
    helped = measured_uplift(world(guess=lambda hour, good: 0.2 + 0.1 * (hour == good))).dr
    misled = measured_uplift(world(guess=lambda hour, good: 0.9 - 0.5 * (hour == good))).dr
    assert helped.high - helped.low < plain.high - plain.low
    assert misled.low < 0.075 < misled.high


def test_intervals_over_persons_cover_the_truth_about_as_often_as_they_say():
    inside = [
        interval.low < 0.075 < interval.high
        for interval in (measured_uplift(world(people=800, seed=seed), draws=200).dr for seed in range(40))
    ]
    assert sum(inside) >= 34


def test_without_an_effect_personalisation_is_off():
    uplift = measured_uplift(world(gain=0.0))
    assert not uplift.personalise
    assert "off for this channel" in uplift.sentence()


def test_too_small_a_log_concludes_nothing():
    uplift = measured_uplift(world(people=30, gain=0.7))
    assert uplift.ess < 200
    assert not uplift.personalise
    assert "Too little exploration" in uplift.sentence()


def test_the_effective_sample_of_equal_weights_is_their_number():
    assert effective_sample(np.full(500, 3.0)) == pytest.approx(500)
    assert effective_sample(np.r_[100.0, np.zeros(9)]) == pytest.approx(1)
    assert effective_sample(np.zeros(3)) == 0


def test_impossible_logs_are_refused():
    with pytest.raises(InvalidFrame, match="propensity: must lie in"):
        measured_uplift(world(people=2).assign(propensity=0.0))
    with pytest.raises(InvalidRequest, match="log: no logged sends"):
        measured_uplift(world(people=2).iloc[:0])
