"""A small, exact logistic regression: ridge by Newton's method, isotonic calibration, and how good the result is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, optimize, special, stats

from core.errors import InvalidRequest

Floats = NDArray[np.float64]

RIDGE = 1.0
MOST_STEPS = 50
TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True)
class Logistic:
    """P(y) = expit(intercept + coefficients · (x − means)/scales); coefficients compare across features."""

    means: Floats
    scales: Floats
    coefficients: Floats
    intercept: float

    def margin(self, features: NDArray[np.floating]) -> Floats:
        """The log odds, one per row: the order of people that calibration keeps."""
        weights = self.coefficients / self.scales
        return np.asarray(features @ weights + (self.intercept - float(self.means @ weights)))

    def probability(self, features: NDArray[np.floating]) -> Floats:
        """P(y) before calibration."""
        return np.asarray(special.expit(self.margin(features)))


def fit_logistic(features: NDArray[np.floating], outcomes: ArrayLike, *, ridge: float = RIDGE) -> Logistic:
    """Ridge logistic regression by Newton's method (IRLS) on standardised features; the intercept is not penalised.

    A feature without variance gets 0. InvalidRequest when there are no rows or all outcomes are equal.
    """
    y = np.asarray(outcomes, dtype=float)
    if len(y) == 0 or y.min() == y.max():
        raise InvalidRequest("outcomes", "both outcomes must occur: there is nothing to tell apart yet")
    x = np.asarray(features, dtype=float)
    means, scales = x.mean(axis=0), x.std(axis=0)
    scales = np.where(scales > 0, scales, 1.0)
    design = np.column_stack([np.ones(len(x)), (x - means) / scales])
    penalty = np.r_[0.0, np.full(x.shape[1], ridge)]
    beta = np.r_[special.logit(y.mean()), np.zeros(x.shape[1])]
    loss = _loss(design, y, beta, penalty)
    for _ in range(MOST_STEPS):
        p = special.expit(design @ beta)
        gradient = design.T @ (p - y) + penalty * beta
        curvature = (design * (p * (1 - p))[:, None]).T @ design + np.diag(penalty + 1e-9)
        step = linalg.solve(curvature, gradient, assume_a="pos")
        # a full Newton step may overshoot when the outcomes are nearly separable
        shrink = 1.0
        while (changed := _loss(design, y, beta - shrink * step, penalty)) > loss and shrink > 1e-6:
            shrink /= 2
        gained, loss, beta = loss - changed, min(loss, changed), beta - shrink * step
        if gained < TOLERANCE * (abs(loss) + 1):
            break
    return Logistic(means, scales, beta[1:], float(beta[0]))


def _loss(design: Floats, y: Floats, beta: Floats, penalty: Floats) -> float:
    margin = design @ beta
    return float(np.logaddexp(0, margin).sum() - y @ margin + 0.5 * (penalty * beta) @ beta)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A non-decreasing map from predicted to observed frequencies, straight between its points."""

    predicted: Floats
    observed: Floats

    def __call__(self, probabilities: ArrayLike) -> Floats:
        """The calibrated probabilities, in the same order as before."""
        return np.asarray(np.interp(np.asarray(probabilities, dtype=float), self.predicted, self.observed))


def calibrate(probabilities: ArrayLike, outcomes: ArrayLike) -> Calibration:
    """Isotonic calibration by pool-adjacent-violators (Zadrozny & Elkan 2002); fit it on people the model never saw.

    Half an outcome of each kind per block keeps it from certainty. InvalidRequest without rows.
    """
    p, y = np.asarray(probabilities, dtype=float), np.asarray(outcomes, dtype=float)
    if len(p) == 0 or p.shape != y.shape:
        raise InvalidRequest("outcomes", "one for each probability, one at least")
    # equal predictions must become one point before pooling, or their order would matter
    points, where = np.unique(p, return_inverse=True)
    sizes = np.bincount(where)
    fitted = optimize.isotonic_regression(np.bincount(where, y) / sizes, weights=sizes)
    edges = np.asarray(fitted.blocks)
    starts, ends = edges[:-1], edges[1:]
    totals = np.add.reduceat(sizes, starts)
    centres = np.add.reduceat(sizes * points, starts) / totals
    rate = float(y.mean())
    levels = (np.asarray(fitted.x)[ends - 1] * totals + rate) / (totals + 1)
    return Calibration(centres, np.maximum.accumulate(levels))


@dataclass(frozen=True, slots=True)
class Quality:
    """How good probabilities were: Brier score (lower is better), the base rate's own, AUC, and on how many."""

    brier: float
    base_brier: float
    auc: float
    people: int


def quality(probabilities: ArrayLike, outcomes: ArrayLike) -> Quality:
    """Brier score and AUC of predictions against what came; AUC is NaN when only one outcome came."""
    p, y = np.asarray(probabilities, dtype=float), np.asarray(outcomes, dtype=float)
    if len(p) == 0 or p.shape != y.shape:
        raise InvalidRequest("outcomes", "one for each probability, one at least")
    came = float(y.sum())
    missed = len(y) - came
    rank_sum = float(stats.rankdata(p)[y > 0].sum())
    auc = (rank_sum - came * (came + 1) / 2) / (came * missed) if came and missed else float("nan")
    rate = came / len(y)
    return Quality(float(np.mean((p - y) ** 2)), rate * (1 - rate), auc, len(y))
