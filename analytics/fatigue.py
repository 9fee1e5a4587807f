"""When people have had enough: the probability of their present run of ignored messages, and the cap that follows it.

The cap per person and category learns like TCP's window: a little more after a good week, half after a bad one
(AIMD). An explicit preference is a hard ceiling, critical messages know no cap. Judge it over 8–12 weeks.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analytics.frames import USER_DAYS, InvalidFrame, require_columns
from analytics.intervals import BetaPrior
from core.errors import InvalidRequest

UNLIKELY = 0.05
STEP = 0.25
CUT = 0.5
LEAST_CAP = 0.25
"""Messages per week: one in four weeks, so that a person can still come back."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def run_probability(ignored: ArrayLike, prior: BetaPrior) -> Floats:
    """B(a, b + n)/B(a, b): how likely a person of this kind ignores `ignored` messages in a row."""
    n = np.asarray(ignored, dtype=float)
    if np.any(n < 0):
        raise InvalidRequest("ignored", "a run has 0 messages or more")
    return np.asarray(
        np.exp(special.betaln(prior.alpha, prior.beta + n) - special.betaln(prior.alpha, prior.beta))
    )


def fatigued(ignored: ArrayLike, prior: BetaPrior) -> Bools:
    """True where the run is less likely than 5 %: silence that is no longer chance."""
    return np.asarray(run_probability(ignored, prior) < UNLIKELY)


def ignored_runs(user_days: pd.DataFrame, by: Sequence[str] = ("user_id",)) -> pd.DataFrame:
    """Rows (by …, ignored): messages sent on the days after the last engagement; all of them if there was none.

    Days are whole: messages of the day of the last engagement count as answered.
    """
    require_columns(user_days, USER_DAYS)
    for name in by:
        if name not in user_days.columns:
            raise InvalidFrame(
                name, f"can't group by it: the frame has {sorted(map(str, user_days.columns))}"
            )
    engaged = (
        user_days[user_days["engaged"] > 0]
        .groupby(list(by), observed=True)["day"]
        .max()
        .rename("last_engaged")
    )
    days = user_days.join(engaged, on=list(by))
    after = days["last_engaged"].isna() | (days["day"] > days["last_engaged"])
    runs = days.assign(ignored=days["sent"].where(after, 0)).groupby(list(by), observed=True)["ignored"].sum()
    return runs.astype("int64").reset_index()


def next_caps(
    caps: ArrayLike, *, engaged: ArrayLike, negative: ArrayLike, tired: ArrayLike, ceilings: ArrayLike
) -> Floats:
    """Next week's caps (messages per week): ×0.5 on fatigue or a negative event, +0.25 after a week with engagement.

    `ceilings` are the explicit preferences (np.inf without one) and always win; without any sign the cap stays.
    """
    cap = np.asarray(caps, dtype=float)
    ceiling = np.asarray(ceilings, dtype=float)
    if np.any(cap < 0) or np.any(ceiling < 0):
        raise InvalidRequest("caps", "caps and ceilings are 0 or more messages per week")
    bad = np.asarray(negative, dtype=bool) | np.asarray(tired, dtype=bool)
    good = np.asarray(engaged, dtype=bool) & ~bad
    learnt = np.where(bad, np.minimum(cap, np.maximum(cap * CUT, LEAST_CAP)), cap + STEP * good)
    return np.asarray(np.minimum(learnt, ceiling))
