"""Everybody's engagement score: learn from a sample's last week, then predict the next one, shard by shard."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection

from analytics import engagement_load as load
from analytics.bulk import stage
from analytics.engagement import EngagementModel, scores, tiers, train
from analytics.engagement_features import channel_priors, engaged_within, features
from analytics.fatigue import fatigued, ignored_runs
from analytics.intervals import BetaPrior
from core.errors import InvalidRequest
from core.statements import execute

TAUGHT_BY = 50_000
WEEK = timedelta(days=7)

STAGED = "user_id text, score float8, probability float8, tier text, ignored int, is_tired boolean"
MERGE = """
MERGE INTO engagement_scores AS kept USING staged_scores AS found ON kept.user_id = found.user_id
WHEN MATCHED AND (kept.score, kept.probability, kept.tier, kept.ignored, kept.is_tired)
    IS DISTINCT FROM (found.score, found.probability, found.tier, found.ignored, found.is_tired)
    THEN UPDATE SET score = found.score, probability = found.probability, tier = found.tier, ignored = found.ignored,
         is_tired = found.is_tired, updated_at = now()
WHEN NOT MATCHED THEN INSERT (user_id, score, probability, tier, ignored, is_tired)
    VALUES (found.user_id, found.score, found.probability, found.tier, found.ignored, found.is_tired)
"""


@dataclass(frozen=True, slots=True)
class Scored:
    """Everybody's rows (user_id, score, probability, tier, ignored, is_tired) and what the model learnt."""

    rows: pd.DataFrame
    model: EngagementModel
    priors: dict[str, BetaPrior]


def score_everybody(connection: Any, *, now: datetime) -> Scored:
    """Scores of all people, from one snapshot. InvalidRequest when there is too little to learn from."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days, people = load.sample(connection, TAUGHT_BY, now=now)
    if days.empty:
        raise InvalidRequest("user_days", "nothing was sent yet: there is nothing to learn from")
    priors = channel_priors(days, as_of=today - WEEK)
    then = features(days, people, priors, as_of=today - WEEK)
    model = train(then, engaged_within(days, then.user_ids, start=today - WEEK))
    parts = [_shard(connection, shard, model, priors, now) for shard in load.shards(connection)]
    rows = pd.concat(parts, ignore_index=True)
    rows["score"] = np.round(scores(rows.pop("margin")), 1)
    rows["tier"] = tiers(rows["score"], rows["tier"].to_numpy(dtype=str))
    return Scored(rows, model, priors)


def _shard(
    connection: Any,
    shard: tuple[str, str],
    model: EngagementModel,
    priors: dict[str, BetaPrior],
    now: datetime,
) -> pd.DataFrame:
    people, days = load.people(connection, shard), load.user_days(connection, shard, now=now)
    known = features(days, people, priors, as_of=now)
    tired = _tired(days, priors)
    return pd.DataFrame(
        {
            "user_id": people["user_id"],
            "margin": model.margin(known).astype(np.float32),
            "probability": np.round(model.predict(known), 4),
            "tier": people["tier"],
            "ignored": people["user_id"].map(tired["ignored"]).fillna(0).astype("int64"),
            "is_tired": people["user_id"].map(tired["is_tired"]).fillna(value=False).astype(bool),
        }
    )


def _tired(days: pd.DataFrame, priors: dict[str, BetaPrior]) -> pd.DataFrame:
    """By user: the longest present run of ignored messages of a channel, and whether any run is beyond chance."""
    runs = ignored_runs(days, ("user_id", "channel"))
    beyond = np.zeros(len(runs), dtype=bool)
    for channel, prior in priors.items():
        mine = (runs["channel"] == channel).to_numpy()
        beyond[mine] = fatigued(runs.loc[mine, "ignored"], prior)
    return runs.assign(is_tired=beyond).groupby("user_id")[["ignored", "is_tired"]].max()


def keep_scores(connection: Connection, rows: pd.DataFrame) -> None:
    """Writes the scores of everybody; a person whose numbers are as before is not touched."""
    columns = ["user_id", "score", "probability", "tier", "ignored", "is_tired"]
    stage(connection, "staged_scores", STAGED, pa.Table.from_pandas(rows[columns], preserve_index=False))
    execute(connection, MERGE)
