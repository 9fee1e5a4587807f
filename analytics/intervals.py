"""Honest rates: Wilson intervals for one share, empirical-Bayes shrinkage for a ranking of many."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from core.errors import InvalidRequest

Floats = NDArray[np.float64]

HIDDEN_BELOW = 30
"""A percentage of fewer than this many is hidden: it would be read as knowledge."""


def counts_of(successes: ArrayLike, totals: ArrayLike) -> tuple[Floats, Floats]:
    """Both as float arrays of one shape; InvalidRequest unless 0 <= successes <= totals."""
    hits, trials = np.broadcast_arrays(np.asarray(successes, dtype=float), np.asarray(totals, dtype=float))
    if not bool(np.all((hits >= 0) & (hits <= trials))):
        raise InvalidRequest("successes", "must lie between 0 and totals in every row")
    return hits, trials


def wilson(successes: ArrayLike, totals: ArrayLike, *, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """The score interval of a share (Wilson 1927); [0, 1] where totals are 0, because nothing is known."""
    hits, trials = counts_of(successes, totals)
    z2 = stats.norm.ppf(0.5 + confidence / 2) ** 2
    seen = np.maximum(trials, 1)
    share = hits / seen
    spread = np.sqrt(z2 * share * (1 - share) / seen + z2 * z2 / (4 * seen * seen))
    low = (share + z2 / (2 * seen) - spread) / (1 + z2 / seen)
    high = (share + z2 / (2 * seen) + spread) / (1 + z2 / seen)
    # the ends are exact at 0 and n; rounding would leave 1e-17 there
    low = np.where((trials == 0) | (hits == 0), 0.0, np.clip(low, 0, 1))
    high = np.where((trials == 0) | (hits == trials), 1.0, np.clip(high, 0, 1))
    return low, high


@dataclass(frozen=True, slots=True)
class BetaPrior:
    """What groups have in common: Beta(alpha, beta), worth `strength` pseudo-observations."""

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """The rate that a group without data is given."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def strength(self) -> float:
        """How many observations of its own a group needs to outweigh the others."""
        return self.alpha + self.beta

    def shrink(self, successes: ArrayLike, totals: ArrayLike) -> Floats:
        """The posterior mean of each group's rate: few data stay near the mean, many speak for themselves."""
        hits, trials = counts_of(successes, totals)
        return np.asarray((hits + self.alpha) / (trials + self.alpha + self.beta))

    def interval(
        self, successes: ArrayLike, totals: ArrayLike, *, confidence: float = 0.95
    ) -> tuple[Floats, Floats]:
        """The central posterior interval of each group's rate."""
        hits, trials = counts_of(successes, totals)
        tail = (1 - confidence) / 2
        a, b = hits + self.alpha, trials - hits + self.beta
        return np.asarray(special.betaincinv(a, b, tail)), np.asarray(special.betaincinv(a, b, 1 - tail))


STRONGEST = 1e6
WEAKEST = 2.0


def fit_beta_prior(successes: ArrayLike, totals: ArrayLike) -> BetaPrior:
    """The beta-binomial prior of many groups by moments (Kleinman 1973); nearly a point when groups don't differ.

    One group, or none with data, teaches nothing about differences: the pooled rate with the weakest strength.
    """
    hits, trials = counts_of(successes, totals)
    hits, trials = hits[trials > 0], trials[trials > 0]
    total = float(trials.sum())
    if total == 0:
        return BetaPrior(1.0, 1.0)
    # half a success and half a failure keep the prior proper when all groups are at 0 or 1
    mean = (float(hits.sum()) + 0.5) / (total + 1)
    groups = len(trials)
    if groups < 2:
        return BetaPrior(mean * WEAKEST, (1 - mean) * WEAKEST)
    between = float(np.sum(trials * (hits / trials - mean) ** 2))
    noise = mean * (1 - mean)
    effective = total - float(np.sum(trials**2)) / total
    rho = (
        (between - noise * (groups - 1)) / (noise * (effective - (groups - 1)))
        if effective > groups - 1
        else 0.0
    )
    strength = float(np.clip(1 / rho - 1, WEAKEST, STRONGEST)) if rho > 0 else STRONGEST
    return BetaPrior(mean * strength, (1 - mean) * strength)


def as_percentage(rate: float, total: float, *, low: float, high: float) -> str:
    """Text for people, e.g. `98.5 % [97.5–99.1]`; under n = 30 it says that there are too few instead."""
    if total < HIDDEN_BELOW:
        return f"too few: {total:.0f} of {HIDDEN_BELOW}"
    return f"{100 * rate:.1f} % [{100 * low:.1f}–{100 * high:.1f}]"
