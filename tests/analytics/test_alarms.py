"""The alarm: the delays and false alarms that were promised, and a baseline that ignores incidents."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analytics.alarm_simulation import Scene, delay, false_alarms_per_day, three_sigma_windows_to_false_alarm
from analytics.alarms import Baseline, design_effect, ewma, fit_baseline, lower_tail, phi_of, scan
from core.errors import InvalidRequest

MONDAY = datetime(2026, 9, 7, tzinfo=UTC)


def windows(hits, total=200, start=MONDAY, every="5min"):
    at = pd.date_range(start, periods=len(hits), freq=every).as_unit("us")
    return pd.DataFrame({"at": at, "hits": np.asarray(hits), "total": total})


def draw(n, rate=0.985, phi=600.0, total=200, seed=5):
    rng = np.random.default_rng(seed)
    return rng.binomial(total, rng.beta(rate * phi, (1 - rate) * phi, n))


def test_a_fall_to_95_percent_is_caught_in_3_windows_and_to_97_in_9():
    assert delay(Scene(), 0.95, runs=2000).median == 3
    assert delay(Scene(), 0.97, runs=2000).median == pytest.approx(9, abs=1)


def test_a_day_of_normal_work_rarely_alarms_where_three_sigma_alarms_several_times():
    assert false_alarms_per_day(Scene(), days=4000) == pytest.approx(0.023, abs=0.008)
    assert three_sigma_windows_to_false_alarm(Scene()) < 100


def test_the_limit_is_the_papers_formula():
    z, limit = ewma(np.full(50, 197.0), np.full(50, 200.0), 0.985, 600.0)
    expected = 4.5 * np.sqrt(0.985 * 0.015 / 200 * (1 + 199 / 601) * 0.2 / 1.8)
    assert limit == pytest.approx(np.full(50, -expected))
    assert z == pytest.approx(np.zeros(50), abs=1e-12)


def test_moments_find_the_overdispersion():
    hits = draw(8064)
    phi = phi_of(design_effect(hits, 200, 0.985), 200)
    assert 400 < phi < 900
    assert phi_of(1.0, 200) == np.inf


@pytest.mark.parametrize(
    ("hits", "total", "rate", "phi"), [(180, 200, 0.985, 600.0), (0, 30, 0.9, 50.0), (29, 30, 0.9, 50.0)]
)
def test_the_instant_rule_is_the_beta_binomials_tail(hits, total, rate, phi):
    expected = stats.betabinom.cdf(hits, total, rate * phi, (1 - rate) * phi)
    assert lower_tail(hits, total, rate, phi) == pytest.approx(expected, rel=1e-6, abs=1e-13)
    assert lower_tail(hits, total, rate, np.inf) == pytest.approx(
        stats.binom.cdf(hits, total, rate), rel=1e-9
    )


def test_the_baseline_follows_the_hour_of_the_week_and_leaves_incidents_out():
    month = windows(draw(28 * 288))
    night = month["at"].dt.hour == 3
    month.loc[night, "hits"] = draw(int(night.sum()), rate=0.90)
    broken = (month["at"] >= "2026-09-09T10:00Z") & (month["at"] < "2026-09-09T14:00Z")
    month.loc[broken, "hits"] = 20
    incident = (pd.Timestamp("2026-09-09T10:00Z"), pd.Timestamp("2026-09-09T14:00Z"))
    baseline = fit_baseline(month, [incident])
    assert baseline.rates[3] == pytest.approx(0.90, abs=0.02)
    assert baseline.rates[2 * 24 + 11] == pytest.approx(0.985, abs=0.01)
    assert 150 < baseline.phi < 1500
    assert fit_baseline(month).phi < baseline.phi / 3


def test_a_scan_tells_drift_from_collapse():
    baseline = Baseline(np.full(168, 0.985), 600.0)
    drifting = scan(windows(np.r_[np.full(100, 197), np.full(20, 190)]), baseline)
    collapsed = scan(windows(np.r_[np.full(100, 197), 120]), baseline)
    assert drifting["drifted"].any()
    assert not drifting["instant"].any()
    assert not drifting["alarm"].iloc[:100].any()
    assert bool(collapsed["instant"].iloc[-1])


def test_windows_without_tries_change_nothing():
    z, _ = ewma([190.0, 0, 0, 190], [200.0, 0, 0, 200], 0.985, 600.0)
    assert z[0] == z[1] == z[2]
    baseline = Baseline(np.full(168, 0.985), 600.0)
    assert not scan(windows([0, 0], total=0), baseline)["alarm"].any()


def test_no_windows_give_no_rows_and_no_past_is_a_clear_error():
    assert len(scan(windows([]), Baseline(np.full(168, 0.985), 600.0))) == 0
    with pytest.raises(InvalidRequest, match="windows: no window with tries outside incidents"):
        fit_baseline(windows([0], total=0))
