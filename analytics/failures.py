"""Triage of failures: what each one means and calls for, and which few causes explain most of today's dead letters.

(provider, code, text) ──normalise──▶ ErrorClass ──ACTS──▶ Act          dead letters ──clusters──▶ "explains 62 % …"
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from analytics.failure_classes import ACTS, CODES, FAMILY, HTTP, TEXTS, Act
from analytics.frames import DEAD_LETTERS, TEXT, Column, Kind, require_columns
from core.errors import InvalidRequest
from core.vocabulary import ErrorClass

MOST_CLUSTERS = 5
LEAST_EXCESS = 5.0
"""A cause of fewer dead letters above its baseline than this is no news."""
SURPRISING = 0.001
"""How unlikely a cause must be under its baseline."""

KEYS = tuple(DEAD_LETTERS)

_NULLABLE = Column(Kind.TEXT, nullable=True)
_PATTERNS = tuple((re.compile(pattern), error_class) for pattern, error_class in TEXTS)


@lru_cache(maxsize=4096)
def normalise(provider: str, code: str = "", text: str = "") -> ErrorClass:
    """The class of one failure: the provider's code first, then an HTTP status, then words of the text."""
    name, word = provider.strip().lower(), code.strip().lower()
    known = CODES.get((FAMILY.get(name, name), word)) or HTTP.get(word)
    if known is not None:
        return known
    lower = f"{word} {text.lower()}"
    return next(
        (error_class for pattern, error_class in _PATTERNS if pattern.search(lower)), ErrorClass.UNKNOWN
    )


def act_on(error_class: ErrorClass) -> Act:
    """What is done with a failure of this class."""
    return ACTS[error_class]


def triage(failures: pd.DataFrame) -> pd.DataFrame:
    """`failures` (provider, error_code, text) with `error_class` and `act`; each distinct failure is judged once."""
    require_columns(failures, {"provider": TEXT, "error_code": _NULLABLE, "text": _NULLABLE})
    words = failures[["provider", "error_code", "text"]].astype("str").fillna("")
    classes = [normalise(*row) for row in words.itertuples(index=False, name=None)]
    return failures.assign(
        error_class=pd.Series([str(each) for each in classes], index=failures.index, dtype="str"),
        act=pd.Series([str(ACTS[each]) for each in classes], index=failures.index, dtype="str"),
    )


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cause: the fixed values of its keys, its dead letters, how many were expected, and its share of all.

    `p_value` is the chance of so many under the baseline (1 without excess, NaN without a baseline).
    """

    keys: dict[str, str]
    count: int
    expected: float
    share: float
    p_value: float

    @property
    def excess(self) -> float:
        """Dead letters above the baseline."""
        return self.count - self.expected

    def sentence(self) -> str:
        """For people: `twilio · content_policy · 30007 explains 62 % of today's failures (124, 6 expected).`"""
        name = " · ".join(self.keys.values())
        usual = "" if math.isnan(self.p_value) else f", {self.expected:.0f} expected"
        return f"{name} explains {100 * self.share:.0f} % of today's failures ({self.count:,}{usual})."


def clusters(
    dead: pd.DataFrame, baseline: pd.DataFrame | None = None, *, windows: float = 0
) -> list[Cluster]:
    """The causes of the dead letters of one window, by excess over `windows` equally long earlier ones.

    Causes of every breadth compete (one carrier, one template, a whole provider) by Kulldorff's scan statistic; the
    best is named, its rows are set aside, and so on, at most five times. [] when nothing is unusual. Without a
    baseline an even spread over the values of each key stands in for it.
    """
    require_columns(dead, DEAD_LETTERS)
    if baseline is not None:
        require_columns(baseline, DEAD_LETTERS)
        if windows <= 0:
            raise InvalidRequest("windows", "say how many windows the baseline spans")
    counts = _counts(dead, "count").merge(
        _counts(dead.iloc[:0] if baseline is None else baseline, "before"), on=list(KEYS), how="outer"
    )
    counts = counts.fillna({"count": 0, "before": 0})
    found: list[Cluster] = []
    while len(found) < MOST_CLUSTERS:
        candidate = _greatest(counts, windows)
        if candidate is None:
            break
        keys, count, expected, p_value = candidate
        found.append(Cluster(keys, count, expected, count / len(dead), p_value))
        inside = np.logical_and.reduce([(counts[key] == value).to_numpy() for key, value in keys.items()])
        counts = counts[~inside]
    return found


def _counts(letters: pd.DataFrame, name: str) -> pd.DataFrame:
    words = letters[list(KEYS)].astype("str").fillna("none")
    return words.groupby(list(KEYS)).size().rename(name).reset_index()


def _greatest(counts: pd.DataFrame, windows: float) -> tuple[dict[str, str], int, float, float] | None:
    """(keys, count, expected, p) of the best cause among all groupings of the keys; of equal ones the most exact."""
    spread = {key: counts.loc[counts["count"] > 0, key].nunique() for key in KEYS}
    total = float(counts["count"].sum())
    best, best_rank = None, (0.0, 0)
    for keys in _subsets():
        even = total / math.prod(max(1, spread[key]) for key in keys)
        for *values, count, before in (
            counts.groupby(list(keys))[["count", "before"]].sum().reset_index().to_numpy()
        ):
            expected = before / windows if windows else 0.0
            p_value = _surprise(count, before, windows)
            if count - expected < LEAST_EXCESS or p_value >= SURPRISING:
                continue
            rank = (round(_gain(count, (before + 0.5) / windows if windows else even), 6), len(keys))
            if rank > best_rank:
                named = dict(zip(keys, map(str, values), strict=True))
                best, best_rank = (named, int(count), expected, p_value), rank
    return best


def _gain(count: float, expected: float) -> float:
    """Kulldorff's scan statistic (1997): how much better a rate of its own explains a group; 0 without excess.

    A broad group wins when all of its parts rose, a narrow one when only it did.
    """
    return count * math.log(count / expected) - (count - expected) if count > expected else 0.0


def _subsets() -> Iterator[tuple[str, ...]]:
    for size in range(1, len(KEYS) + 1):
        yield from combinations(KEYS, size)


def _surprise(count: int, before: float, windows: float) -> float:
    """P(at least `count`) when `before` fell into `windows` earlier windows (gamma-Poisson with Jeffreys' prior)."""
    if not windows:
        return float("nan")
    return float(stats.nbinom.sf(count - 1, before + 0.5, windows / (windows + 1)))
