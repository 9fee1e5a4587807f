"""An alarm on rates that does not cry wolf: EWMA with limits widened by the overdispersion that real rates have.

windows of the last 28 days ──fit_baseline──▶ Baseline per hour of the week ──scan──▶ windows with z, limit, alarm
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analytics.frames import INSTANT, NUMBER, Schema, require_columns
from analytics.intervals import Floats, counts_of, fit_beta_prior
from core.errors import InvalidRequest

SMOOTHING = 0.2
"""λ: the weight of the newest window."""
LIMIT = 4.5
"""L: how many standard deviations below the baseline raise the alarm."""
INSTANT_P = 1e-6
"""One window that is less likely than this under the baseline raises the alarm alone."""
HOURS_OF_WEEK = 168

WINDOWS: Schema = {"at": INSTANT, "hits": NUMBER, "total": NUMBER}
"""One row per five-minute window of one stream (provider × channel, domain …), with `hits` of `total` matured tries."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is normal: the rate in each hour of the UTC week (Monday 0:00 first) and φ, the beta-binomial's strength."""

    rates: Floats
    phi: float

    def at(self, hours: NDArray[np.int64]) -> Floats:
        """The normal rate in these hours of the week."""
        return np.asarray(self.rates[hours])


def hour_of_week(at: "pd.Series[pd.Timestamp]") -> NDArray[np.int64]:
    """0–167, Monday 0:00 UTC first."""
    return np.asarray(at.dt.day_of_week * 24 + at.dt.hour, dtype=np.int64)


def design_effect(hits: ArrayLike, totals: ArrayLike, rates: ArrayLike) -> float:
    """How many times more the windows vary than a binomial would, by moments (Pearson χ² / windows); at least 1."""
    x, n = counts_of(hits, totals)
    p = np.broadcast_to(np.asarray(rates, dtype=float), x.shape)
    seen = n > 0
    if not bool(seen.any()):
        return 1.0
    x, n, p = x[seen], n[seen], p[seen]
    return max(1.0, float(np.mean((x - n * p) ** 2 / (n * p * (1 - p)))))


def phi_of(deff: float, n: float) -> float:
    """φ = (n − 1)/(deff − 1) − 1, the strength of the beta-binomial with that design effect; infinite without any."""
    if deff <= 1 or n <= 1:
        return float("inf")
    return max((n - 1) / (deff - 1) - 1, 1.0)


def fit_baseline(
    windows: pd.DataFrame, incidents: Sequence[tuple[pd.Timestamp, pd.Timestamp]] = ()
) -> Baseline:
    """The baseline of 28 days of windows; those inside an incident [start, end) are left out.

    Each hour of the week is its empirical-Bayes mean, so that a quiet hour borrows from the others. InvalidRequest
    when no window with a try is left: without a past there is no alarm to be right about.
    """
    require_columns(windows, WINDOWS)
    kept = windows[windows["total"] > 0]
    for start, end in incidents:
        kept = kept[(kept["at"] < start) | (kept["at"] >= end)]
    if len(kept) == 0:
        raise InvalidRequest("windows", "no window with tries outside incidents: a baseline needs a past")
    hours = hour_of_week(kept["at"])
    hits, totals = kept["hits"].to_numpy(dtype=float), kept["total"].to_numpy(dtype=float)
    hour_hits = np.bincount(hours, hits, minlength=HOURS_OF_WEEK)
    hour_totals = np.bincount(hours, totals, minlength=HOURS_OF_WEEK)
    rates = fit_beta_prior(hour_hits, hour_totals).shrink(hour_hits, hour_totals)
    # deff − 1 = (n − 1)/(φ + 1) in each window: the mean window size is the right n for the mean of the ratios
    return Baseline(rates, phi_of(design_effect(hits, totals, rates[hours]), float(totals.mean())))


def window_variance(rate: ArrayLike, total: ArrayLike, phi: float) -> Floats:
    """The variance of one window's share: p·q/n · (1 + (n − 1)/(φ + 1))."""
    p, n = np.asarray(rate, dtype=float), np.maximum(np.asarray(total, dtype=float), 1)
    return np.asarray(p * (1 - p) / n * (1 + (n - 1) / (phi + 1)))


def ewma(hits: ArrayLike, totals: ArrayLike, rates: ArrayLike, phi: float) -> tuple[Floats, Floats]:
    """(z, limit) along the last axis: the smoothed deviation from the baseline, and how low it may fall.

    Both are relative to the baseline, so that it may differ from window to window. With windows of equal size the
    limit is −4.5·sqrt(p·q/n·(1 + (n − 1)/(φ + 1))·0.2/1.8); with others the variance is smoothed along with z.
    A window without tries changes nothing.
    """
    x, n = counts_of(hits, totals)
    p = np.broadcast_to(np.asarray(rates, dtype=float), x.shape)
    deviation = np.where(n > 0, x / np.maximum(n, 1) - p, 0.0)
    variance = window_variance(p, n, phi)
    z, limit = np.empty(x.shape), np.empty(x.shape)
    level = np.zeros(x.shape[:-1])
    spread = variance[..., 0] * SMOOTHING / (2 - SMOOTHING) if x.shape[-1] else np.zeros(x.shape[:-1])
    for t in range(x.shape[-1]):
        seen = n[..., t] > 0
        level = np.where(seen, (1 - SMOOTHING) * level + SMOOTHING * deviation[..., t], level)
        spread = np.where(seen, (1 - SMOOTHING) ** 2 * spread + SMOOTHING**2 * variance[..., t], spread)
        z[..., t], limit[..., t] = level, -LIMIT * np.sqrt(spread)
    return z, limit


def lower_tail(hits: ArrayLike, totals: ArrayLike, rates: ArrayLike, phi: float) -> Floats:
    """P(X <= hits) under the baseline's beta-binomial (binomial when φ is infinite): how surprising one window is."""
    x, n = counts_of(hits, totals)
    x, n, p = np.broadcast_arrays(x, n, np.asarray(rates, dtype=float))
    if not np.isfinite(phi):
        return np.asarray(special.bdtr(x, n.astype(np.int64), p))
    # the failures' upper tail is summed from the rarest end: no cancellation near 1e-6
    tails = np.empty(x.shape)
    for where in np.ndindex(x.shape):
        failures = np.arange(float(n[where] - x[where]), float(n[where]) + 1)
        a, b = (1 - p[where]) * phi, p[where] * phi
        log_choose = -np.log1p(n[where]) - special.betaln(n[where] - failures + 1, failures + 1)
        log_mass = log_choose + special.betaln(failures + a, n[where] - failures + b) - special.betaln(a, b)
        tails[where] = min(1.0, float(np.exp(log_mass).sum()))
    return tails


def scan(windows: pd.DataFrame, baseline: Baseline) -> pd.DataFrame:
    """The windows of one stream in time order with `baseline`, `z`, `limit`, `p_value`, `drifted`, `instant`, `alarm`.

    `drifted` is the EWMA rule, `instant` the beta-binomial p < 1e-6; either raises `alarm`. No windows, no rows.
    """
    require_columns(windows, WINDOWS)
    ordered = windows.sort_values("at")
    rates = baseline.at(hour_of_week(ordered["at"])) if len(ordered) else np.empty(0)
    hits, totals = ordered["hits"].to_numpy(dtype=float), ordered["total"].to_numpy(dtype=float)
    z, limit = ewma(hits, totals, rates, baseline.phi)
    p_value = lower_tail(hits, totals, rates, baseline.phi)
    drifted, instant = z < limit, (p_value < INSTANT_P) & (totals > 0)
    return ordered.assign(
        baseline=rates, z=rates + z, limit=rates + limit, p_value=p_value,
        drifted=drifted, instant=instant, alarm=drifted | instant,
    )  # fmt: skip
