"""Metrics that are no plain shares: means, ratios by the delta method, and CUPED, each over persons.

The person is the unit everywhere, because one person's messages are not independent.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analytics.experiments import Effect
from core.errors import InvalidRequest

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric of one arm with its standard error."""

    value: float
    se: float
    persons: int


def mean_of(values: ArrayLike) -> Estimate:
    """The mean over persons; InvalidRequest for fewer than two."""
    sample = np.asarray(values, dtype=float)
    if len(sample) < 2:
        raise InvalidRequest("values", "two persons at least: one has no variance")
    return Estimate(float(sample.mean()), float(sample.std(ddof=1) / np.sqrt(len(sample))), len(sample))


def ratio_of(numerators: ArrayLike, denominators: ArrayLike) -> Estimate:
    """Σx / Σy over persons, e.g. clicks per message, with the delta method's standard error (Deng et al. 2018)."""
    x, y = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    if len(x) < 2 or x.shape != y.shape:
        raise InvalidRequest("numerators", "one pair for each person, two persons at least")
    if y.sum() <= 0:
        raise InvalidRequest("denominators", "sum to 0: the ratio is not defined")
    ratio = float(x.sum() / y.sum())
    # the linearised ratio of each person has the variance of the whole one
    residual = (x - ratio * y) / y.mean()
    return Estimate(ratio, float(residual.std(ddof=1) / np.sqrt(len(x))), len(x))


def compare(treatment: Estimate, control: Estimate, *, confidence: float = 0.95) -> Effect:
    """Treatment minus control with unpooled standard errors (Welch; normal, as persons are many)."""
    difference = treatment.value - control.value
    se = float(np.hypot(treatment.se, control.se))
    reach = float(stats.norm.ppf(0.5 + confidence / 2)) * se
    z = difference / se if se > 0 else 0.0
    return Effect(difference, difference - reach, difference + reach, z, 2 * float(stats.norm.sf(abs(z))))


def cuped(values: ArrayLike, before: ArrayLike, arms: ArrayLike) -> Floats:
    """`values` freed of what the same metric of the 28 days before explains (Deng et al. 2013).

    θ is fitted over all arms together, the mean of `before` is everyone's: the difference between arms keeps its
    expectation and loses the share ρ² of its variance. Persons without a past have `before` 0.
    """
    y, x = np.asarray(values, dtype=float), np.asarray(before, dtype=float)
    groups = np.unique(np.asarray(arms), return_inverse=True)[1]
    if not len(y) == len(x) == len(groups) or len(y) < 2:
        raise InvalidRequest("before", "one value for each person, two persons at least")
    sizes = np.bincount(groups)
    within_x = x - (np.bincount(groups, x) / sizes)[groups]
    within_y = y - (np.bincount(groups, y) / sizes)[groups]
    variance = float(within_x @ within_x)
    theta = float(within_x @ within_y) / variance if variance > 0 else 0.0
    return np.asarray(y - theta * (x - x.mean()))
