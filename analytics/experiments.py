"""Fixed-horizon statistics of an experiment, and the guards that come before any verdict.

counts ──sample_ratio──▶ trustworthy? ──compare_shares──▶ Effect (z, p, Newcombe interval) ──verdict──▶ a sentence
Looking more than once: `analytics.sequential`. Means and ratios: `analytics.metrics`. Many arms: `holm`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analytics.intervals import wilson
from core.errors import InvalidRequest

Floats = NDArray[np.float64]

BLOCKS_BELOW = 0.001
WARNS_BELOW = 0.01
WEEK = timedelta(days=7)


class Trust(StrEnum):
    """What the sample ratio says about the experiment."""

    FINE = "fine"
    WARNS = "warns"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """χ² test of the arms' sizes against the planned split: a mismatch means that something lost people unevenly."""

    chi2: float
    p_value: float

    @property
    def trust(self) -> Trust:
        """p < 0.001 blocks every verdict, p < 0.01 warns (Fabijan et al. 2019)."""
        if self.p_value < BLOCKS_BELOW:
            return Trust.BLOCKED
        return Trust.WARNS if self.p_value < WARNS_BELOW else Trust.FINE


def sample_ratio(sizes: Sequence[int], split: Sequence[float] | None = None) -> SampleRatio:
    """The test of observed `sizes` against `split` (equal shares by default)."""
    observed = np.asarray(sizes, dtype=float)
    if len(observed) < 2 or observed.sum() == 0:
        raise InvalidRequest("sizes", "two arms at least, with somebody in them")
    shares = np.full(len(observed), 1 / len(observed)) if split is None else np.asarray(split, dtype=float)
    if shares.shape != observed.shape or np.any(shares <= 0):
        raise InvalidRequest("split", "one positive share for each arm")
    expected = observed.sum() * shares / shares.sum()
    chi2 = float(((observed - expected) ** 2 / expected).sum())
    return SampleRatio(chi2, float(stats.chi2.sf(chi2, len(observed) - 1)))


@dataclass(frozen=True, slots=True)
class Effect:
    """Treatment minus control: the difference with its interval, z and the two-sided p-value."""

    difference: float
    low: float
    high: float
    z: float
    p_value: float


def two_proportion_z(hits: int, total: int, control_hits: int, control_total: int) -> float:
    """z of the difference of two shares with the pooled variance; 0 when nobody or everybody succeeded."""
    pooled = (hits + control_hits) / (total + control_total)
    se = math.sqrt(pooled * (1 - pooled) * (1 / total + 1 / control_total))
    return (hits / total - control_hits / control_total) / se if se > 0 else 0.0


def newcombe(
    hits: int, total: int, control_hits: int, control_total: int, *, confidence: float = 0.95
) -> tuple[float, float]:
    """The interval of a difference of two shares from their Wilson intervals (Newcombe 1998, method 10)."""
    share, control = hits / total, control_hits / control_total
    low, high = wilson([hits, control_hits], [total, control_total], confidence=confidence)
    difference = share - control
    down = math.hypot(share - low[0], high[1] - control)
    up = math.hypot(high[0] - share, control - low[1])
    return float(difference - down), float(difference + up)


def compare_shares(
    hits: int, total: int, control_hits: int, control_total: int, *, confidence: float = 0.95
) -> Effect:
    """Treatment against control on a yes/no metric; InvalidRequest for an empty arm or impossible counts."""
    if total <= 0 or control_total <= 0:
        raise InvalidRequest("total", "nobody was exposed in an arm: there is nothing to compare")
    z = two_proportion_z(hits, total, control_hits, control_total)
    low, high = newcombe(hits, total, control_hits, control_total, confidence=confidence)
    return Effect(hits / total - control_hits / control_total, low, high, z, 2 * float(stats.norm.sf(abs(z))))


def harm_p_value(hits: int, total: int, control_hits: int, control_total: int) -> float:
    """One-sided p-value that a guard-rail (unsubscriptions, complaints) is not worse in the treatment."""
    return float(stats.norm.sf(two_proportion_z(hits, total, control_hits, control_total)))


def sample_size(base: float, changed: float, *, alpha: float = 0.05, power: float = 0.80) -> int:
    """People per arm to see `base` become `changed`, two-sided (Fleiss, pooled variance under the null)."""
    if not (0 < base < 1 and 0 < changed < 1) or base == changed:
        raise InvalidRequest(
            "changed", "two different shares between 0 and 1: the smallest effect that matters"
        )
    mean = (base + changed) / 2
    null = float(stats.norm.isf(alpha / 2)) * math.sqrt(2 * mean * (1 - mean))
    alternative = float(stats.norm.isf(1 - power)) * math.sqrt(base * (1 - base) + changed * (1 - changed))
    return math.ceil(((null + alternative) / (changed - base)) ** 2)


def holm(p_values: ArrayLike) -> Floats:
    """Adjusted p-values over arms: the chance of any false positive stays below α (Holm 1979)."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Adjusted p-values over secondary metrics: the share of false discoveries stays below α (1995)."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(-p, kind="stable")
    stepped = np.minimum.accumulate(p[order] * len(p) / (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def guards(
    *,
    sizes: Sequence[int],
    split: Sequence[float] | None,
    start: datetime,
    end: datetime,
    incidents: Sequence[str] = (),
) -> list[str]:
    """Why no verdict may be given, as sentences; empty when one may. `incidents` name provider incidents in an arm."""
    found = []
    ratio = sample_ratio(sizes, split)
    if ratio.trust is Trust.BLOCKED:
        found.append(
            f"sample-ratio mismatch (χ² {ratio.chi2:.1f}, p {ratio.p_value:.1e}): people were lost unevenly"
        )
    if (end - start) % WEEK or end <= start:
        found.append("not whole weeks: weekdays differ")
    found.extend(f"provider incident in an arm: {name}" for name in incidents)
    return found
