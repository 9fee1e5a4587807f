"""Fatigue: the probability of a run of silence, and a cap that halves and slowly grows back."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.fatigue import fatigued, ignored_runs, next_caps, run_probability
from analytics.frames import USER_DAYS, InvalidFrame
from analytics.intervals import BetaPrior
from core.errors import InvalidRequest

KEEN = BetaPrior(2, 3)


def days(*rows):
    frame = pd.DataFrame(rows, columns=list(USER_DAYS))
    counts = dict.fromkeys(("sent", "engaged", "negative"), "int64")
    return frame.assign(day=pd.to_datetime(frame["day"], utc=True).astype("datetime64[us, UTC]")).astype(
        counts
    )


def caps(caps_, **changes):
    quiet = {"engaged": False, "negative": False, "tired": False, "ceilings": np.inf}
    return next_caps(caps_, **quiet | changes).tolist()


def test_the_probability_of_a_run_is_the_product_of_its_steps():
    expected = (3 / 5) * (4 / 6) * (5 / 7)
    assert run_probability(3, KEEN) == pytest.approx(expected)
    assert run_probability(0, KEEN) == 1


@given(st.floats(0.1, 50), st.floats(0.1, 50), st.integers(0, 500))
def test_longer_silence_is_less_likely(a, b, n):
    shorter, longer = run_probability([n, n + 1], BetaPrior(a, b))
    assert 0 <= longer <= shorter <= 1


def test_silence_of_a_keen_person_means_more_than_that_of_a_cold_one():
    assert fatigued(13, KEEN)
    assert not fatigued(13, BetaPrior(0.1, 5))


def test_a_run_counts_what_was_sent_after_the_last_engagement():
    found = ignored_runs(
        days(
            ("maya", "email", "2026-11-01", 2, 0, 0), ("maya", "email", "2026-11-02", 1, 1, 0),
            ("maya", "sms", "2026-11-03", 3, 0, 0), ("jamal", "email", "2026-11-01", 2, 0, 0),
        )
    )  # fmt: skip
    assert found.set_index("user_id")["ignored"].to_dict() == {"maya": 3, "jamal": 2}
    assert len(ignored_runs(days())) == 0
    with pytest.raises(InvalidFrame, match="category: can't group by it"):
        ignored_runs(days(), ["user_id", "category"])


def test_a_good_week_adds_a_quarter_and_a_bad_one_halves():
    assert caps([4.0], engaged=True) == [4.25]
    assert caps([4.0], engaged=True, negative=True) == [2.0]
    assert caps([4.0], tired=True) == [2.0]
    assert caps([4.0]) == [4.0]
    assert caps([0.3], tired=True) == [0.25]


def test_an_explicit_preference_is_a_hard_ceiling():
    assert caps([4.0, 1.0], engaged=True, ceilings=[2.0, 0.0]) == [2.0, 0.0]


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans(), st.booleans(), st.floats(0, 20)), min_size=1))
def test_caps_never_pass_the_ceiling_and_never_grow_after_a_bad_week(rows):
    start, good, bad, ceiling = map(np.array, zip(*rows, strict=True))
    found = next_caps(start, engaged=good, negative=bad, tired=False, ceilings=ceiling)
    assert np.all((found >= 0) & (found <= ceiling))
    assert np.all(found[bad] <= start[bad])


def test_impossible_numbers_are_refused():
    with pytest.raises(InvalidRequest, match="ignored: a run has"):
        run_probability(-1, KEEN)
    with pytest.raises(InvalidRequest, match="caps: "):
        caps([-1.0])
