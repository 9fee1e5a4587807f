"""What the alarm does on rates that are known: delays and false alarms on simulated overdispersed windows."""

from dataclasses import dataclass

import numpy as np

from analytics.alarms import INSTANT_P, Baseline, ewma, lower_tail
from analytics.intervals import Floats

WINDOWS_PER_DAY = 288
RUN_IN = 100
"""Windows of normal work before the rate falls, so that the average stands where it does in practice."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A stream to simulate: windows of `total` tries at `normal` rate, overdispersed by φ."""

    normal: float = 0.985
    total: int = 200
    phi: float = 600.0


@dataclass(frozen=True, slots=True)
class Delay:
    """Windows from the fall to the alarm over all runs; never-caught runs count as the horizon."""

    median: float
    mean: float
    p90: float


def false_alarms_per_day(scene: Scene, *, days: int = 4000, seed: int = 7) -> float:
    """The share of days of normal work (288 windows each, after a run-in) with at least one false alarm of any rule."""
    rng = np.random.default_rng(seed)
    share = 0
    for _ in range(0, days, 500):
        batch = min(500, days)
        hits = _hits(rng, scene, np.full((batch, RUN_IN + WINDOWS_PER_DAY), scene.normal))
        share += int(_alarmed(hits, scene)[:, RUN_IN:].any(axis=1).sum())
    return share / days


def delay(scene: Scene, fallen: float, *, runs: int = 4000, horizon: int = 60, seed: int = 7) -> Delay:
    """How many windows it takes to notice a fall from the normal rate to `fallen`; the first low window is 1."""
    rng = np.random.default_rng(seed)
    rates = np.full((runs, RUN_IN + horizon), scene.normal)
    rates[:, RUN_IN:] = fallen
    alarmed = _alarmed(_hits(rng, scene, rates), scene)[:, RUN_IN:]
    windows = np.where(alarmed.any(axis=1), alarmed.argmax(axis=1) + 1, horizon)
    return Delay(float(np.median(windows)), float(windows.mean()), float(np.percentile(windows, 90)))


def three_sigma_windows_to_false_alarm(scene: Scene, *, windows: int = 400_000, seed: int = 7) -> float:
    """The mean number of windows between false alarms of an ordinary p-chart that takes the rate for binomial."""
    rng = np.random.default_rng(seed)
    share = _hits(rng, scene, np.full(windows, scene.normal)) / scene.total
    lowest = scene.normal - 3 * np.sqrt(scene.normal * (1 - scene.normal) / scene.total)
    return windows / max(1, int((share < lowest).sum()))


def _hits(rng: np.random.Generator, scene: Scene, rates: Floats) -> Floats:
    true = rng.beta(rates * scene.phi, (1 - rates) * scene.phi)
    return np.asarray(rng.binomial(scene.total, true), dtype=float)


def _alarmed(hits: Floats, scene: Scene) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    baseline = Baseline(np.full(168, scene.normal), scene.phi)
    totals = np.full(hits.shape, float(scene.total))
    z, limit = ewma(hits, totals, baseline.rates[0], scene.phi)
    possible = np.arange(scene.total + 1.0)
    p_values = lower_tail(possible, np.full(possible.shape, float(scene.total)), scene.normal, scene.phi)
    return np.asarray((z < limit) | (p_values[hits.astype(np.int64)] < INSTANT_P))
