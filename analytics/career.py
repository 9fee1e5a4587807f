"""Career insights from postings: how a role is asked for, what it asks that a person lacks, and what it pays.

Everything says how sure it is, and where postings are few nothing is said.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import sqrt

import numpy as np
import pandas as pd

from analytics.intervals import wilson
from analytics.money import dollars

WINDOW_DAYS = 90
SALARY_DAYS = 365
FEWEST_POSTINGS = 20
"""Of a role in two windows; with fewer we stay silent."""
FEWEST_SALARIES = 20
FEWEST_ASKING, LEAST_SHARE = 5, 0.1
"""A skill counts when at least five postings and a tenth of them ask for it."""
MOST_GAPS = 5
CLEAR = 1.96
"""Standard errors between two Poisson counts that make a trend (95 %)."""
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Market:
    """Postings of a role in the last 90 days and in the 90 before; `trend` is growing, shrinking or steady."""

    role: str
    postings: int
    before: int
    trend: str


@dataclass(frozen=True, slots=True)
class Skill:
    """A skill of a role: the share of its postings that ask for it, and that by its share of all postings (lift)."""

    name: str
    share: float
    lift: float


@dataclass(frozen=True, slots=True)
class Salary:
    """The median of a role's offers per year with its 95 % interval, from `offers` postings."""

    median: Decimal
    low: Decimal
    high: Decimal
    offers: int
    currency: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Which percent of the offers lie below a person's salary, with a 95 % interval."""

    percentile: int
    low: int
    high: int


def market(postings: pd.DataFrame, role: str, today: date) -> Market | None:
    """Demand and trend; None when the postings are too few to say anything."""
    age = (today - EPOCH).days - postings.loc[postings["role"] == role, "day"]
    now, before = (
        int(age.between(0, WINDOW_DAYS - 1).sum()),
        int(age.between(WINDOW_DAYS, 2 * WINDOW_DAYS - 1).sum()),
    )
    if now + before < FEWEST_POSTINGS:
        return None
    # Two Poisson counts over equal times: their difference has the variance of their sum.
    difference = (now - before) / sqrt(now + before)
    trend = "growing" if difference >= CLEAR else "shrinking" if difference <= -CLEAR else "steady"
    return Market(role, now, before, trend)


def skills_of(postings: pd.DataFrame, role: str) -> list[Skill]:
    """What sets a role apart: its skills by lift, those asked for often enough; `skills` are lists of lower-case names."""
    asked = postings[["id", "role", "skills"]].explode("skills").dropna(subset=["skills"])
    asked = asked.drop_duplicates(["id", "skills"])
    in_role, everywhere = int((postings["role"] == role).sum()), len(postings)
    if in_role < FEWEST_POSTINGS:
        return []
    counts = asked.loc[asked["role"] == role, "skills"].value_counts()
    counts = counts[(counts >= FEWEST_ASKING) & (counts >= LEAST_SHARE * in_role)]
    overall = asked["skills"].value_counts().reindex(counts.index)
    lift = (counts / in_role) / (overall / everywhere)
    found = [
        Skill(str(name), float(share), float(by))
        for name, share, by in zip(counts.index, counts / in_role, lift, strict=True)
    ]
    return sorted(found, key=lambda skill: (-skill.lift, -skill.share, skill.name))


def lacking(skills: Iterable[Skill], has: Collection[str]) -> list[Skill]:
    """The first five that a person does not have."""
    own = {skill.strip().lower() for skill in has}
    return [skill for skill in skills if skill.name not in own][:MOST_GAPS]


def salary(
    postings: pd.DataFrame, role: str, country: str, today: date
) -> tuple[Salary, Sequence[float]] | None:
    """The benchmark of a role in a country with its sorted offers (middles, cents); None when offers are too few.

    The interval of the median is the exact one from order statistics, which assumes no shape of the distribution.
    """
    age = (today - EPOCH).days - postings["day"]
    chosen = postings[
        (postings["role"] == role) & (postings["country"] == country) & age.between(0, SALARY_DAYS - 1)
    ]
    chosen = chosen.dropna(subset=["low", "high"])
    if chosen.empty:
        return None
    currency = str(chosen["currency"].mode().iloc[0])
    chosen = chosen[chosen["currency"] == currency]
    offers = np.sort(((chosen["low"] + chosen["high"]) / 2).to_numpy(dtype=float))
    count = len(offers)
    if count < FEWEST_SALARIES:
        return None
    below = _order_of_median(count)
    figures = Salary(
        dollars(float(np.median(offers))),
        dollars(offers[below]),
        dollars(offers[count - 1 - below]),
        count,
        currency,
    )
    return figures, offers.tolist()


def standing(offers: Sequence[float], own: Decimal) -> Standing:
    """Where a salary stands among the offers; those equal to it count half."""
    cents = float(own * 100)
    below = sum(offer < cents for offer in offers) + 0.5 * sum(offer == cents for offer in offers)
    low, high = (float(end) for end in wilson(below, len(offers)))
    return Standing(round(100 * below / len(offers)), round(100 * low), round(100 * high))


def _order_of_median(count: int) -> int:
    """The largest k with P(Binomial(n, ½) < k) ≤ 2.5 %: the k-th smallest and largest enclose the median (from 0)."""
    from scipy.stats import binom

    order = int(binom.ppf(0.025, count, 0.5))
    return max(0, order - 1)
