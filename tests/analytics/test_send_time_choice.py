"""Choosing the hour: waiting must pay, deadlines and quiet hours hold, and what was drawn is logged truthfully."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.frames import UserWithoutZone
from analytics.send_time_choice import Arm, Reason, arm_of, best_hours, choose, choose_waits, draw, jitter
from core.errors import InvalidRequest

NOW = datetime(2026, 11, 2, 12, 20, tzinfo=UTC)  # 7:20 in New York
BY_DAY = staticmethod(lambda local: 8 <= local.hour < 21)


def scores(**at):
    flat = np.full(24, 0.125)
    for hour, value in at.items():
        flat[int(hour[1:])] = value
    return flat


def named(arm):
    """The first notification of Maya's and the first of other people that fall into `arm`."""
    for number in range(10_000):
        user, notification = f"user-{number}", f"notification-{number}"
        if arm_of(user, notification) is arm:
            return {"user_id": user, "notification_id": notification}
    raise AssertionError(arm)


MODEL = named(Arm.MODEL)


def choice(curve, **changes):
    wanted = (
        MODEL | {"now": NOW, "deadline": NOW + timedelta(hours=24), "time_zone": "America/New_York"} | changes
    )
    return choose(curve, **wanted)


def test_a_clearly_better_hour_is_waited_for():
    found = choice(scores(h18=0.4))
    assert found.reason is Reason.BETTER_HOUR
    assert found.until.hour == 23  # 18:00 in New York is 23:00 UTC
    assert found.waited_hours == 11
    assert found.value_then == pytest.approx(0.4 * 0.97**11)


@pytest.mark.parametrize(
    ("curve", "reason"),
    [
        (scores(), Reason.NOW_IS_BEST),
        (scores(h7=0.3), Reason.NOW_IS_BEST),
        (scores(h8=0.134), Reason.GAIN_TOO_SMALL),  # 0.134 × 0.97 is 4 % above 0.125
        (scores(h6=0.25), Reason.NOW_IS_BEST),  # 23 hours of waiting halve it
    ],
)
def test_a_small_gain_is_not_worth_a_delay(curve, reason):
    found = choice(curve)
    assert (found.reason, found.until) == (reason, NOW)


def test_hours_after_the_deadline_and_forbidden_hours_are_no_options():
    assert choice(scores(h18=0.9), deadline=NOW + timedelta(hours=5)).until == NOW
    quiet = choice(scores(h7=0.9), allowed=lambda local: 8 <= local.hour < 21)
    assert quiet.until.hour == 13
    assert quiet.reason is Reason.BETTER_HOUR
    never = choice(scores(), allowed=lambda _: False)
    assert (never.until, never.reason) == (None, Reason.NO_ALLOWED_HOUR)


def test_critical_goes_at_once_even_at_night():
    found = choice(scores(h18=0.9), critical=True, allowed=lambda _: False)
    assert (found.until, found.reason) == (NOW, Reason.CRITICAL)


def test_a_thread_keeps_its_order():
    earlier = NOW + timedelta(hours=3)
    assert choice(scores(h7=0.9), not_before=earlier).until >= earlier


def test_the_holdout_is_the_persons_for_good_and_goes_at_the_default_time():
    held = named(Arm.HOLDOUT)
    found = choice(scores(h18=0.9), **held)
    assert (found.until, found.arm, found.propensity) == (NOW, Arm.HOLDOUT, 1.0)
    assert {arm_of(held["user_id"], f"another-{number}") for number in range(50)} == {Arm.HOLDOUT}


def test_arms_have_their_shares():
    counted = Counter(arm_of(f"u{number}", f"n{number}") for number in range(40_000))
    assert counted[Arm.HOLDOUT] / 40_000 == pytest.approx(0.05, abs=0.005)
    assert counted[Arm.EXPLORE] / 40_000 == pytest.approx(0.0475, abs=0.005)


def test_logged_propensities_are_the_frequencies_with_which_hours_are_really_taken():
    curve, taken, logged = scores(h10=0.5), Counter(), {}
    sends = 20_000
    for number in range(sends):
        found = choice(
            curve, user_id="user-2", notification_id=f"n{number}", deadline=NOW + timedelta(hours=5)
        )
        taken[found.waited_hours] += 1
        logged[found.waited_hours] = found.propensity
    assert sum(logged.values()) == pytest.approx(1)
    for hours, times in taken.items():
        assert times / sends == pytest.approx(logged[hours], abs=0.006)


def test_the_night_of_changing_clocks_is_counted_in_real_hours():
    before = datetime(2026, 11, 1, 3, tzinfo=UTC)  # 23:00 EDT; 9:00 EST is eleven real hours away
    found = choice(scores(h9=0.9), now=before, deadline=before + timedelta(hours=20))
    assert found.waited_hours == 11
    assert found.until.hour == 14


def test_a_person_without_a_zone_and_a_passed_deadline_are_clear_errors():
    for zone in (None, "", "Mars/Base"):
        with pytest.raises(UserWithoutZone, match="time_zone: "):
            choice(scores(), time_zone=zone)
    with pytest.raises(InvalidRequest, match=r"deadline: .* has passed"):
        choice(scores(), deadline=NOW)


@given(
    st.lists(st.floats(0.01, 1), min_size=24, max_size=24),
    st.integers(0, 23),
    st.integers(0, 40),
    st.lists(st.booleans(), min_size=24, max_size=24),
)
def test_many_at_once_choose_as_one_alone_does(curve, hour, longest, allowed):
    now = datetime(2026, 6, 1, hour, tzinfo=UTC)
    wait, gain = choose_waits(
        np.array([curve]), local_hour=np.array([hour]), longest=np.array([longest]), allowed=np.array(allowed)
    )
    alone = choice(
        curve, now=now, deadline=now + timedelta(hours=longest, minutes=30), time_zone="UTC",
        allowed=lambda local: allowed[local.hour],
    )  # fmt: skip
    assert int(wait[0]) == (alone.waited_hours if alone.until else -1)
    assert wait[0] != 0 or not gain[0] >= 0.05


@given(st.text(), st.text())
def test_draws_are_in_the_unit_interval_and_repeatable(one, other):
    assert 0 <= draw(one, other) < 1
    assert draw(one, other) == draw(one, other)
    assert timedelta(0) <= jitter(one) < timedelta(hours=1)


def test_the_best_hours_come_first():
    assert best_hours(np.array([scores(h9=0.4, h20=0.5)])).tolist()[0][:2] == [20, 9]
