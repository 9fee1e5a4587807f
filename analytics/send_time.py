"""The send-time model: who tends to be there when, learnt from everybody and bent towards each person's own past.

A mixture of K = 8 Dirichlet-multinomials holds the population's rhythms (early birds, office hours, nights …). Its
posterior for a person is the prior curve q_u; the person's own events, smoothed over the clock, are added to it.
Measured in `benchmarks/send_time_quality.py`: the plain most frequent hour is worse than no personalisation below
about five events, this never is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from analytics.person_hours import HOURS
from core.errors import InvalidRequest

Floats = NDArray[np.float64]
Curves = NDArray[np.float32]

COMPONENTS = 8
KAPPA = 8.0
"""Concentration of the von Mises kernel: an event at 9:00 also speaks for 8:00 and 10:00."""
STRENGTH = 40.0
"""Pseudo-events that the prior curve is worth, unless it was fitted for the channel."""
SPAN = 3
"""Hours of a window: what counts is being there within three hours of the send."""
MOST_PEOPLE = 50_000
MOST_ROUNDS = 100
TOLERANCE = 2e-6
"""Relative gain of the log likelihood under which a fit has arrived."""
STARTS = 3
STRONGEST = 5000.0
"""Above this many pseudo-events people don't differ, and the likelihood is flat."""
CHUNK = 50_000

_LEAST_SHAPE = 1e-3


@dataclass(frozen=True, slots=True)
class Rhythms:
    """The population: component k has weight π_k (`weights`) and Dirichlet parameters A_k (`shapes`, K × 24)."""

    weights: Floats
    shapes: Floats
    log_likelihood: float
    people: int
    rounds: int

    @property
    def population(self) -> Floats:
        """The curve of a person about whom nothing is known; sums to 1."""
        return np.asarray(self.weights @ (self.shapes / self.shapes.sum(axis=1, keepdims=True)))


def fit_rhythms(
    counts: NDArray[np.floating], *, components: int = COMPONENTS, seed: int = 0, start: Rhythms | None = None
) -> Rhythms:
    """The mixture that explains `counts` (n × 24) best: EM with Minka's fixed point, on at most 50,000 people.

    Several short starts, the best is followed; `start` (yesterday's fit) replaces them. Few people get fewer
    components (one per 25). InvalidRequest when nobody has an event.
    """
    active = np.flatnonzero(counts.sum(axis=1) > 0)
    if len(active) == 0:
        raise InvalidRequest(
            "counts", "nobody has an event: there is no rhythm to learn, send at the default time"
        )
    rng = np.random.default_rng(seed)
    if len(active) > MOST_PEOPLE:
        active = np.sort(rng.choice(active, MOST_PEOPLE, replace=False))
    people = _Sparse(np.asarray(counts[active], dtype=np.float64))
    components = max(1, min(components, len(active) // 25))
    if start is not None and len(start.weights) == components:
        return _climb(people, start.weights, start.shapes, MOST_ROUNDS)
    starts = [
        _climb(people, *_first_guess(people, components, rng), 8)
        for _ in range(STARTS if components > 1 else 1)
    ]
    best = max(starts, key=lambda fit: fit.log_likelihood)
    return _climb(people, best.weights, best.shapes, MOST_ROUNDS)


def fit_strength(counts: NDArray[np.floating], *, seed: int = 0) -> float:
    """How many events of their own a person needs to outweigh the population: the likeliest concentration of a
    Dirichlet-multinomial around everybody's curve, on at most 10,000 people.

    About 47 on commits, 750 on e-mail opens, which follow the send hour. InvalidRequest when nobody has an event.
    """
    active = np.flatnonzero(counts.sum(axis=1) > 0)
    if len(active) == 0:
        raise InvalidRequest("counts", "nobody has an event: there is no strength to learn")
    rng = np.random.default_rng(seed)
    sample = rng.choice(active, min(len(active), MOST_PEOPLE // 5), replace=False)
    people = _Sparse(np.asarray(counts[sample], dtype=np.float64))
    shares = people.counts.sum(axis=0) / people.totals.sum()

    def unlikeliness(log_strength: float) -> float:
        shapes = np.maximum(shares * np.exp(log_strength), _LEAST_SHAPE)[None, :]
        return -float(_log_joint(people, np.ones(1), shapes).sum())

    fitted = optimize.minimize_scalar(unlikeliness, bounds=(0.0, np.log(STRONGEST)), method="bounded")
    return float(np.exp(fitted.x))


class _Sparse:
    """Counts as (person, hour, value) rows: most people are active in few hours, and zeros add nothing."""

    def __init__(self, counts: Floats) -> None:
        persons, self.hours = np.nonzero(counts)
        self.values = counts[persons, self.hours]
        self.totals = counts.sum(axis=1)
        self.seen, self.starts = np.unique(persons, return_index=True)
        self.persons = persons
        self.counts = counts

    def by_person(self, terms: Floats) -> Floats:
        """Sums the rows of each person; zeros for people without rows."""
        sums = np.zeros((len(self.totals), terms.shape[1]))
        if len(terms):
            sums[self.seen] = np.add.reduceat(terms, self.starts, axis=0)
        return sums

    def by_hour(self, terms: Floats) -> Floats:
        """Sums the rows of each hour, as components × hours."""
        return np.stack([np.bincount(self.hours, column, minlength=HOURS) for column in terms.T])


def _log_joint(people: _Sparse, weights: Floats, shapes: Floats) -> Floats:
    """log(π_k) + log P(counts of u | A_k), without the multinomial coefficient that all k share; n × K."""
    sizes = shapes.sum(axis=1)
    at_hour = shapes.T[people.hours]
    terms = special.gammaln(people.values[:, None] + at_hour) - special.gammaln(shapes).T[people.hours]
    totals = special.gammaln(sizes) - special.gammaln(people.totals[:, None] + sizes)
    return np.asarray(np.log(weights) + people.by_person(terms) + totals)


def _climb(people: _Sparse, weights: Floats, shapes: Floats, rounds: int) -> Rhythms:
    """EM: responsibilities, then one step of Minka's fixed point for each A_k (Minka 2000, eq. 55)."""
    before = -np.inf
    done = 0
    for done in range(1, rounds + 1):  # noqa: B007 - how many rounds it took is part of the result
        joint = _log_joint(people, weights, shapes)
        evidence = special.logsumexp(joint, axis=1, keepdims=True)
        after = float(evidence.sum())
        if after - before < TOLERANCE * abs(after):
            before = after
            break
        before = after
        shares = np.exp(joint - evidence)
        sizes = shapes.sum(axis=1)
        at_hour = shapes.T[people.hours]
        grown = shares[people.persons] * (
            special.digamma(people.values[:, None] + at_hour) - special.digamma(shapes).T[people.hours]
        )
        scale = (shares * (special.digamma(people.totals[:, None] + sizes) - special.digamma(sizes))).sum(
            axis=0
        )
        shapes = np.maximum(shapes * people.by_hour(grown) / np.maximum(scale, 1e-12)[:, None], _LEAST_SHAPE)
        shapes *= np.minimum(1.0, STRONGEST / shapes.sum(axis=1))[:, None]
        weights = np.maximum(shares.mean(axis=0), 1e-9)
        weights /= weights.sum()
    return Rhythms(weights, shapes, before, len(people.totals), done)


def _first_guess(people: _Sparse, components: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Components around random people with a good deal of events, drawn towards the whole population."""
    overall = people.counts.sum(axis=0) / people.totals.sum()
    if components == 1:
        return np.ones(1), (overall * STRENGTH + _LEAST_SHAPE)[None, :]
    rank = np.argsort(-(np.minimum(people.totals, 30) + rng.random(len(people.totals))))
    chosen = rng.choice(rank[: components * 20], components, replace=False)
    own = smooth(people.counts[chosen]) / people.totals[chosen][:, None]
    return np.full(components, 1 / components), (0.7 * own + 0.3 * overall) * 30 + _LEAST_SHAPE


def kernel(kappa: float = KAPPA) -> Floats:
    """The von Mises weights of the hours 0, 1 … 23 away on the clock; they sum to 1."""
    weights = np.exp(kappa * np.cos(2 * np.pi * np.arange(HOURS) / HOURS))
    return np.asarray(weights / weights.sum())


def smooth(counts: Floats, kappa: float = KAPPA) -> Floats:
    """Each event spread over the hours around it, midnight being next to 23:00; sums are kept."""
    weights = kernel(kappa)
    circulant = np.stack([np.roll(weights, hour) for hour in range(HOURS)])
    return np.asarray(counts @ circulant)


def prior_curves(counts: NDArray[np.floating], rhythms: Rhythms) -> Floats:
    """q_u(h) = Σ_k r_uk (C_u(h) + A_k(h)) / (n_u + |A_k|): the posterior mean of each person's curve; rows sum to 1."""
    people = _Sparse(np.asarray(counts, dtype=np.float64))
    joint = _log_joint(people, rhythms.weights, rhythms.shapes)
    shares = np.exp(joint - special.logsumexp(joint, axis=1, keepdims=True))
    shares /= people.totals[:, None] + rhythms.shapes.sum(axis=1)
    return np.asarray(people.counts * shares.sum(axis=1, keepdims=True) + shares @ rhythms.shapes)


def response_curves(counts: NDArray[np.floating], rhythms: Rhythms, *, strength: float = STRENGTH) -> Curves:
    """S_u = K_vonMises C_u + strength · q_u, normalised; people without events get the population's curve.

    Works in chunks: the peak above input and output (float32, 96 bytes per person) stays below 150 MB.
    """
    curves = np.empty(counts.shape, dtype=np.float32)
    for rows in chunks(len(counts)):
        part = np.asarray(counts[rows], dtype=np.float64)
        own = smooth(part) + strength * prior_curves(part, rhythms)
        curves[rows] = own / own.sum(axis=1, keepdims=True)
    return curves


def chunks(people: int, size: int = CHUNK) -> Iterator[slice]:
    """Slices that cover `people` rows."""
    for first in range(0, people, size):
        yield slice(first, min(first + size, people))


def window_scores(curves: Curves) -> Curves:
    """W_u(h): the share of activity in the three hours from h on, over midnight too."""
    scores = curves.copy()
    for ahead in range(1, SPAN):
        scores += np.roll(curves, -ahead, axis=1)
    return scores


def ten_thousandths(curves: Curves) -> NDArray[np.int16]:
    """The curves as 24 small numbers per person for storing; each sums to 10,000 up to rounding."""
    return np.rint(curves * 10_000).astype(np.int16)
