"""The engagement score: how likely a person is to engage in the next seven days, as a percentile, and their tier.

user-days ──features(a week ago)──▶ train on who engaged since ──▶ predict(now) ──scores──▶ 0–100 ──tiers──▶ words
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analytics.engagement_features import Features
from analytics.frames import InvalidFrame
from analytics.logistic import Calibration, Logistic, Quality, calibrate, fit_logistic, quality
from core.errors import InvalidRequest

MOST_TAUGHT = 200_000
CALIBRATED_ON = 0.25
LEAST_PEOPLE = 200

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EngagementModel:
    """P(human engagement in the next 7 days) from features of these names, calibrated on people it never saw."""

    names: tuple[str, ...]
    logistic: Logistic
    calibration: Calibration
    held_out: Quality

    def margin(self, features: Features) -> Floats:
        """Log odds before calibration: the finest order of people."""
        self._check(features)
        return self.logistic.margin(features.values)

    def predict(self, features: Features) -> Floats:
        """The calibrated probability of each person."""
        self._check(features)
        return self.calibration(self.logistic.probability(features.values))

    def evaluate(self, features: Features, outcomes: ArrayLike) -> Quality:
        """Brier score and AUC against what came in the following week."""
        return quality(self.predict(features), outcomes)

    def weights(self) -> dict[str, float]:
        """Each feature's coefficient per standard deviation, greatest first: why scores are what they are."""
        pairs = zip(self.names, self.logistic.coefficients.tolist(), strict=True)
        return dict(sorted(pairs, key=lambda pair: -abs(pair[1])))

    def _check(self, features: Features) -> None:
        if features.names != self.names:
            raise InvalidFrame(
                "features", f"the model was taught {self.names}, not {features.names}: use its priors"
            )


def train(features: Features, outcomes: ArrayLike, *, seed: int = 0) -> EngagementModel:
    """The model of at most 200,000 people: three quarters teach it, one quarter calibrates and measures it.

    InvalidRequest for fewer than 200 people or when nobody, or everybody, engaged.
    """
    y = np.asarray(outcomes, dtype=bool)
    if len(y) < LEAST_PEOPLE:
        raise InvalidRequest("outcomes", f"{len(y)} people, {LEAST_PEOPLE} are needed to learn from")
    rows = np.random.default_rng(seed).permutation(len(y))[:MOST_TAUGHT]
    held = int(len(rows) * CALIBRATED_ON)
    calibrating, teaching = rows[:held], rows[held:]
    logistic = fit_logistic(features.values[teaching], y[teaching])
    # half of the held-out people calibrate, the other half say how well that went
    calibrated_on, measured_on = np.array_split(calibrating, 2)
    calibration = calibrate(logistic.probability(features.values[calibrated_on]), y[calibrated_on])
    measured = quality(calibration(logistic.probability(features.values[measured_on])), y[measured_on])
    return EngagementModel(features.names, logistic, calibration, measured)


def scores(margins: ArrayLike) -> Floats:
    """0–100: the percentile of each person among all; equal margins share the middle of their ranks."""
    values = np.asarray(margins, dtype=float)
    if len(values) == 0:
        return np.empty(0)
    return np.asarray((stats.rankdata(values) - 0.5) / len(values) * 100)


@dataclass(frozen=True, slots=True)
class Tier:
    """People enter at `enter` and stay until they fall below `leave`, so that nobody flickers."""

    enter: float
    leave: float


TIERS: Mapping[str, Tier] = MappingProxyType(
    {"dormant": Tier(0, 0), "casual": Tier(25, 15), "active": Tier(60, 50)}
)
"""Lowest first."""


def tiers(score: ArrayLike, before: ArrayLike | None = None) -> NDArray[np.str_]:
    """Each person's tier from the score and the tier before ("" or unknown: a newcomer, who must enter)."""
    values = np.asarray(score, dtype=float)
    names = np.array(list(TIERS))
    earlier = np.full(len(values), "") if before is None else np.asarray(before, dtype=str)
    if earlier.shape != values.shape:
        raise InvalidRequest("before", "one tier for each score, empty for newcomers")
    rank_before = np.full(len(values), -1)
    for rank, name in enumerate(names):
        rank_before[earlier == name] = rank
    reached = np.zeros(len(values), dtype=int)
    for rank, tier in enumerate(TIERS.values()):
        threshold = np.where(rank_before >= rank, tier.leave, tier.enter)
        reached = np.where(values >= threshold, np.maximum(reached, rank), reached)
    return np.asarray(names[reached])
