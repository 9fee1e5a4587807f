"""Engagement: features by hand, a model that recovers what made the data, honest calibration, and words for people."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from analytics.engagement import LEAST_PEOPLE, TIERS, scores, tiers, train
from analytics.engagement_features import Features, channel_priors, engaged_within, features
from analytics.frames import USER_DAYS, InvalidFrame
from analytics.intervals import BetaPrior
from analytics.logistic import calibrate, fit_logistic, quality
from core.errors import InvalidRequest

NOW = datetime(2026, 11, 2, tzinfo=UTC)
PRIOR = {"email": BetaPrior(1, 4)}


def days(*rows):
    frame = pd.DataFrame(rows, columns=["user_id", "channel", "ago", "sent", "engaged"])
    day = pd.to_datetime([NOW - timedelta(days=int(ago)) for ago in frame["ago"]], utc=True).as_unit("us")
    counts = dict.fromkeys(("sent", "engaged", "negative"), "int64")
    return frame.assign(day=day, negative=0).astype(counts)[list(USER_DAYS)]


def people(*names, joined=100):
    at = pd.to_datetime([NOW - timedelta(days=joined)] * len(names), utc=True).as_unit("us")
    return pd.DataFrame({"user_id": pd.Series(names, dtype="str"), "joined_at": at})


def row(found, user):
    return dict(zip(found.names, found.values[found.user_ids.get_loc(user)].tolist(), strict=True))


def learnable(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)) * [1, 5, 0.1] + [0, 20, 3]
    p = special.expit(-1 + 1.2 * x[:, 0] - 0.1 * (x[:, 1] - 20))
    ids = pd.Index(range(n))
    return Features(ids, ("a", "b", "c"), x.astype(np.float32)), rng.random(n) < p, p


def test_features_of_maya_jamal_and_a_newcomer_by_hand():
    known = days(
        ("maya", "email", 3, 4, 1),
        ("maya", "email", 10, 2, 0),
        ("jamal", "email", 40, 1, 1),
        ("gone", "email", 1, 1, 1),
    )
    found = features(known, people("maya", "jamal", "priya"), PRIOR, as_of=NOW)
    maya, jamal, priya = (row(found, name) for name in ("maya", "jamal", "priya"))
    assert maya["days_since_engagement"] == pytest.approx(np.log1p(2))
    assert maya["sent_7"] == pytest.approx(np.log1p(4))
    assert maya["sent_28"] == pytest.approx(np.log1p(6))
    weights = 0.5 ** (2 / 30), 0.5 ** (9 / 30)
    assert maya["rate_email"] == pytest.approx((weights[0] + 1) / (4 * weights[0] + 2 * weights[1] + 5))
    assert jamal["days_since_engagement"] == pytest.approx(np.log1p(39))
    assert jamal["engaged_28"] == 0
    assert priya["days_since_engagement"] == pytest.approx(np.log1p(100))
    assert priya["rate_email"] == pytest.approx(0.2)
    assert priya["trend"] == 0


def test_today_and_the_future_are_not_known_yet():
    now = row(
        features(
            days(("maya", "email", 0, 5, 5), ("maya", "email", -3, 5, 5)), people("maya"), PRIOR, as_of=NOW
        ),
        "maya",
    )
    assert now == row(features(days(), people("maya"), PRIOR, as_of=NOW), "maya")


def test_the_outcome_is_an_engagement_within_the_seven_days():
    known = days(
        ("maya", "email", 7, 1, 1),
        ("jamal", "email", 8, 1, 1),
        ("priya", "email", 1, 1, 0),
        ("zoe", "sms", 1, 1, 1),
    )
    start = NOW - timedelta(days=7)
    assert engaged_within(known, pd.Index(["maya", "jamal", "priya", "zoe", "nobody"]), start=start).tolist() == [
        True, False, False, True, False,
    ]  # fmt: skip


def test_priors_are_fitted_for_each_channel():
    rng = np.random.default_rng(1)
    rows = [
        (f"u{n}", channel, 3, 20, rng.binomial(20, rate))
        for n in range(400)
        for channel, rate in (("email", 0.3), ("sms", 0.1))
    ]
    priors = channel_priors(days(*rows), as_of=NOW)
    assert priors["email"].mean == pytest.approx(0.3, abs=0.02)
    assert priors["sms"].mean == pytest.approx(0.1, abs=0.02)
    assert channel_priors(days(), as_of=NOW) == {}


def test_the_model_finds_what_made_the_data_and_is_calibrated():
    known, outcomes, true = learnable(20_000)
    model = train(known, outcomes)
    weights = model.weights()
    assert next(iter(weights)) == "a"
    assert weights["a"] == pytest.approx(1.2, abs=0.1)
    assert abs(weights["c"]) < 0.1
    predicted = model.predict(known)
    assert np.abs(predicted - true).mean() < 0.03
    assert predicted.mean() == pytest.approx(outcomes.mean(), abs=0.02)
    assert model.held_out.auc > 0.7
    assert model.held_out.brier < model.held_out.base_brier
    fresh, came, _ = learnable(5000, seed=9)
    assert model.evaluate(fresh, came).auc == pytest.approx(model.held_out.auc, abs=0.03)


def test_newtons_method_stands_where_the_gradient_is_zero():
    known, outcomes, _ = learnable(500)
    fitted = fit_logistic(known.values, outcomes, ridge=2.0)
    residual = outcomes - fitted.probability(known.values)
    standard = (known.values - fitted.means) / fitted.scales
    assert standard.T @ residual == pytest.approx(2.0 * fitted.coefficients, abs=1e-3)
    assert residual.sum() == pytest.approx(0, abs=1e-3)


def test_separable_outcomes_and_constant_features_do_not_break_it():
    x = np.column_stack([np.r_[np.full(50, -1.0), np.full(50, 1.0)], np.full(100, 7.0)])
    fitted = fit_logistic(x, x[:, 0] > 0)
    assert fitted.coefficients[0] > 1
    assert fitted.coefficients[1] == 0
    with pytest.raises(InvalidRequest, match="outcomes: both outcomes must occur"):
        fit_logistic(x, np.zeros(100))


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    st.lists(st.floats(0, 1), min_size=2),
)
def test_calibration_is_monotone_and_stays_within_0_and_1(pairs, asked):
    predicted, outcomes = map(np.array, zip(*pairs, strict=True))
    found = calibrate(predicted, outcomes)(np.sort(asked))
    assert np.all((found >= 0) & (found <= 1))
    assert np.all(np.diff(found) >= -1e-12)


def test_calibration_mends_exaggeration():
    rng = np.random.default_rng(5)
    true = rng.uniform(0.05, 0.4, 20_000)
    exaggerated = special.expit(3 * special.logit(true))
    outcomes = rng.random(20_000) < true
    assert np.abs(calibrate(exaggerated, outcomes)(exaggerated) - true).mean() < 0.02


def test_quality_by_hand():
    found = quality([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    assert found.auc == 0.75
    assert found.brier == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4)
    assert np.isnan(quality([0.5], [1]).auc)
    with pytest.raises(InvalidRequest, match="outcomes: one for each probability"):
        quality([], [])


def test_scores_are_percentiles():
    assert scores([0.2, -1.0, 5.0, 0.2]).tolist() == [50.0, 12.5, 87.5, 50.0]
    assert len(scores([])) == 0


@given(st.lists(st.floats(-50, 50), min_size=1))
def test_scores_lie_between_0_and_100_and_keep_the_order(margins):
    found = scores(margins)
    assert np.all((found > 0) & (found < 100))
    order = np.argsort(margins, kind="stable")
    assert np.all(np.diff(found[order]) >= 0)


@pytest.mark.parametrize(
    ("score", "before", "after"),
    [
        (60, "", "active"), (59, "", "casual"), (55, "active", "active"), (49, "active", "casual"), (55, "casual", "casual"),
        (20, "casual", "casual"), (20, "active", "casual"), (20, "dormant", "dormant"), (10, "active", "dormant"), (100, "?", "active"),
    ],
)  # fmt: skip
def test_tiers_are_entered_at_sixty_and_left_below_fifty(score, before, after):
    assert tiers([score], [before]).tolist() == [after]


def test_newcomers_enter_and_lists_must_match():
    assert tiers([70, 30, 5]).tolist() == list(TIERS)[::-1]
    assert tiers([]).tolist() == []
    with pytest.raises(InvalidRequest, match="before: one tier for each score"):
        tiers([1, 2], ["active"])


def test_too_few_people_and_features_of_another_shape_are_clear_errors():
    known, outcomes, _ = learnable(300)
    model = train(known, outcomes)
    with pytest.raises(InvalidFrame, match="features: the model was taught"):
        model.predict(Features(known.user_ids, ("a", "b", "d"), known.values))
    few, came, _ = learnable(LEAST_PEOPLE - 1)
    with pytest.raises(InvalidRequest, match="outcomes: 199 people, 200 are needed"):
        train(few, came)
