"""What is known about a person's engagement at one moment: the features of the engagement score.

Work in shards of some 100,000 people: `channel_priors` on a sample first, the same for all shards, then `features`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.frames import INSTANT, KEY, USER_DAYS, require_columns
from analytics.intervals import BetaPrior, fit_beta_prior

HALF_LIFE_DAYS = 30.0
LONGEST_SILENCE = 365.0
"""Days since the last engagement are capped here: longer is all the same, and never is the same as this."""

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]

PEOPLE = {"user_id": KEY, "joined_at": INSTANT}


@dataclass(frozen=True, slots=True)
class Features:
    """Row i of `values` (n × len(names), float32) describes `user_ids[i]`."""

    user_ids: pd.Index
    names: tuple[str, ...]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Days:
    """The user-days before a moment as plain arrays; `person` is a row of people, `channel` a place in `channels`."""

    person: Whole
    channel: Whole
    channels: tuple[str, ...]
    age: Floats
    sent: Floats
    engaged: Floats
    people: int

    def total(self, values: Floats, rows: NDArray[np.bool_]) -> Floats:
        return np.asarray(np.bincount(self.person[rows], values[rows], minlength=self.people), dtype=float)

    def of_channel(self, name: str) -> NDArray[np.bool_]:
        return np.asarray(self.channel == (self.channels.index(name) if name in self.channels else -1))


def channel_priors(user_days: pd.DataFrame, *, as_of: datetime) -> dict[str, BetaPrior]:
    """What people's engagement rates have in common, per channel, with a half-life of 30 days; {} without days."""
    days = _days_before(user_days, pd.Index(user_days["user_id"].unique()), as_of)
    weights = 0.5 ** (days.age / HALF_LIFE_DAYS)
    priors = {}
    for channel in sorted(days.channels):
        rows = days.of_channel(channel)
        sent = days.total(days.sent * weights, rows)
        engaged = np.minimum(days.total(days.engaged * weights, rows), sent)
        priors[channel] = fit_beta_prior(engaged, sent)
    return priors


def features(
    user_days: pd.DataFrame, people: pd.DataFrame, priors: Mapping[str, BetaPrior], *, as_of: datetime
) -> Features:
    """The features of everyone in `people` (user_id, joined_at) from the days before `as_of`.

    People without days get the priors and silence; days of people who are not in `people` are left out.
    """
    require_columns(people, PEOPLE)
    user_ids = pd.Index(people["user_id"])
    days = _days_before(user_days, user_ids, as_of)
    tenure = np.maximum(
        (pd.Timestamp(as_of) - people["joined_at"]).dt.total_seconds().to_numpy(dtype=float) / 86_400, 0
    )
    silence = np.minimum(tenure, LONGEST_SILENCE)
    answered = days.engaged > 0
    last = np.full(len(user_ids), LONGEST_SILENCE)
    np.minimum.at(last, days.person[answered], days.age[answered])
    columns = {"days_since_engagement": np.log1p(np.where(last < LONGEST_SILENCE, last, silence))}
    weights = 0.5 ** (days.age / HALF_LIFE_DAYS)
    for channel, prior in priors.items():
        rows = days.of_channel(channel)
        sent = days.total(days.sent * weights, rows)
        columns[f"rate_{channel}"] = prior.shrink(
            np.minimum(days.total(days.engaged * weights, rows), sent), sent
        )
    week, month = days.age < 7, days.age < 28
    counted = {
        "engaged_7": days.total(days.engaged, week), "sent_7": days.total(days.sent, week),
        "engaged_28": days.total(days.engaged, month), "sent_28": days.total(days.sent, month),
    }  # fmt: skip
    columns |= {name: np.log1p(values) for name, values in counted.items()}
    # this week against the three before it, each smoothed by one message of the month's kind
    usual = (counted["engaged_28"] + 0.5) / (counted["sent_28"] + 1)
    columns["trend"] = np.log(
        (counted["engaged_7"] + usual) / (counted["sent_7"] + 1)
        / (counted["engaged_28"] - counted["engaged_7"] + usual)
        * (counted["sent_28"] - counted["sent_7"] + 1)
    )  # fmt: skip
    columns["tenure"] = np.log1p(tenure)
    return Features(user_ids, tuple(columns), np.column_stack(list(columns.values())).astype(np.float32))


def engaged_within(
    user_days: pd.DataFrame, user_ids: pd.Index, *, start: datetime, days: int = 7
) -> NDArray[np.bool_]:
    """Whether each person engaged at least once in the `days` from `start` on: what the score predicts."""
    require_columns(user_days, USER_DAYS)
    inside = (
        (user_days["day"] >= start)
        & (user_days["day"] < start + timedelta(days=days))
        & (user_days["engaged"] > 0)
    )
    found = user_ids.get_indexer(pd.Index(user_days.loc[inside, "user_id"].unique()))
    outcome = np.zeros(len(user_ids), dtype=bool)
    outcome[found[found >= 0]] = True
    return outcome


def _days_before(user_days: pd.DataFrame, user_ids: pd.Index, as_of: datetime) -> _Days:
    require_columns(user_days, USER_DAYS)
    age = (pd.Timestamp(as_of) - user_days["day"]).dt.total_seconds().to_numpy(dtype=float) / 86_400
    person = np.asarray(user_ids.get_indexer(pd.Index(user_days["user_id"])), dtype=np.int64)
    # a day belongs to the past when it has ended: age counts from its beginning
    kept = (person >= 0) & (age >= 1)
    numbers = user_days.loc[kept, ["sent", "engaged"]].to_numpy(dtype=float)
    codes, names = pd.factorize(user_days["channel"])
    channels = tuple(str(name) for name in names)
    return _Days(
        person[kept], codes[kept], channels, age[kept] - 1, numbers[:, 0], numbers[:, 1], len(user_ids)
    )
