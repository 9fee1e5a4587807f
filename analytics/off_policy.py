"""What a policy would have earned, from sends whose hours were drawn with known probabilities.

IPS weighs every reward by target / propensity (Horvitz–Thompson); SNIPS divides by the sum of the weights; DR adds the
weighted error of a reward model to its prediction (Dudík et al. 2011) and is right if either of the two is. Intervals
come from a bootstrap over persons, because the sends of one person are not independent.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.frames import KEY, NUMBER, InvalidFrame, Schema, require_columns
from core.errors import InvalidRequest

LOG: Schema = {
    "user_id": KEY,
    "propensity": NUMBER,
    "reward": NUMBER,
    "target": NUMBER,
    "baseline": NUMBER,
    "predicted": NUMBER,
    "predicted_target": NUMBER,
    "predicted_baseline": NUMBER,
}
"""One row per send outside the holdout. `propensity`: logged probability of the hour taken; `target`, `baseline`: the
probability that each policy gives to that hour; `predicted`: the reward model's value of the hour taken, and
`predicted_target`, `predicted_baseline` its mean under each policy (all 0 when there is no model: DR becomes IPS)."""

LEAST_ESS = 200.0
DRAWS = 1000
ESTIMATORS = ("ips", "snips", "dr")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval over resampled persons."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """True when the effect is beyond what resampling explains."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Uplift:
    """What the target policy earns per send above the baseline, by three estimators.

    `ess` is the smaller of both policies' effective sample sizes (Σw)²/Σw²; below 200 nothing may be concluded.
    """

    ips: Interval
    snips: Interval
    dr: Interval
    ess: float
    sends: int
    persons: int

    @property
    def enough(self) -> bool:
        """Whether the log carries a conclusion at all."""
        return self.ess >= LEAST_ESS

    @property
    def personalise(self) -> bool:
        """True only for a proven gain: enough sends and a doubly robust interval above zero."""
        return self.enough and self.dr.low > 0

    def sentence(self) -> str:
        """The measured uplift for people, in percentage points of the reward."""
        shown = f"{100 * self.dr.value:+.2f} points [{100 * self.dr.low:+.2f}, {100 * self.dr.high:+.2f}]"
        if not self.enough:
            return f"Too little exploration to judge (effective sample {self.ess:.0f} of {LEAST_ESS:.0f}); {shown}."
        if self.personalise:
            return f"Personal send times earn {shown} per send over {self.sends:,} sends: on."
        return f"Personal send times are not proven, {shown} over {self.sends:,} sends: off for this channel."


def measured_uplift(log: pd.DataFrame, *, draws: int = DRAWS, seed: int = 0) -> Uplift:
    """The target policy's value per send minus the baseline's, with intervals over persons.

    InvalidRequest for an empty log; InvalidFrame for a propensity that is not in (0, 1].
    """
    require_columns(log, LOG)
    if len(log) == 0:
        raise InvalidRequest("log", "no logged sends: explore first")
    propensity = log["propensity"].to_numpy(dtype=float)
    if not bool(np.all((propensity > 0) & (propensity <= 1))):
        raise InvalidFrame("propensity", "must lie in (0, 1]: an hour that was taken had a chance")
    persons = pd.factorize(log["user_id"])[0]
    sums = np.concatenate(
        [_person_sums(log, persons, propensity, policy) for policy in ("target", "baseline")], axis=1
    )
    whole = _uplifts(sums.sum(axis=0, keepdims=True))[0]
    resampled = _uplifts(_resample(sums, draws, seed))
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    ips, snips, dr = (
        Interval(float(v), float(a), float(b)) for v, a, b in zip(whole, low, high, strict=True)
    )
    ess = min(
        effective_sample(log[policy].to_numpy(dtype=float) / propensity) for policy in ("target", "baseline")
    )
    return Uplift(ips, snips, dr, ess, len(log), len(sums))


def effective_sample(weights: Floats) -> float:
    """(Σw)² / Σw²: how many equally weighted sends these are worth (Kish)."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


_SENDS, _WEIGHTS, _REWARDS, _ERRORS, _PREDICTED = range(5)


def _person_sums(log: pd.DataFrame, persons: NDArray[np.int64], propensity: Floats, policy: str) -> Floats:
    """All estimators are functions of sums over sends, so each person is five numbers."""
    weight = log[policy].to_numpy(dtype=float) / propensity
    reward = log["reward"].to_numpy(dtype=float)
    error = weight * (reward - log["predicted"].to_numpy(dtype=float))
    terms = [
        np.ones(len(log)),
        weight,
        weight * reward,
        error,
        log[f"predicted_{policy}"].to_numpy(dtype=float),
    ]
    return np.stack([np.bincount(persons, term) for term in terms], axis=1)


def _uplifts(sums: Floats) -> Floats:
    """(ips, snips, dr) of target minus baseline for each row of summed persons."""
    values = []
    for part in (sums[:, :5], sums[:, 5:]):
        sends = np.maximum(part[:, _SENDS], 1)
        ips = part[:, _REWARDS] / sends
        snips = part[:, _REWARDS] / np.where(part[:, _WEIGHTS] > 0, part[:, _WEIGHTS], np.inf)
        dr = (part[:, _PREDICTED] + part[:, _ERRORS]) / sends
        values.append(np.stack([ips, snips, dr], axis=1))
    return np.asarray(values[0] - values[1])


def _resample(sums: Floats, draws: int, seed: int) -> Floats:
    """Sums over persons drawn with replacement (Poisson bootstrap), in blocks of bounded memory."""
    rng = np.random.default_rng(seed)
    block = max(1, 20_000_000 // max(1, len(sums)))
    blocks = [
        rng.poisson(1.0, (min(block, draws - first), len(sums))).astype(np.float32) @ sums
        for first in range(0, draws, block)
    ]
    return np.concatenate(blocks)
