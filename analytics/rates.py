"""The definitions of every rate that we show, in one table, and the tidy rates table with honest intervals.

events ──summarise──▶ tries (one row per notification × route) ──count──▶ counts by group ──rates──▶ tidy table
                                             (SQL rollups enter here) ──▲
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

import numpy as np
import pandas as pd

from analytics.frames import EVENTS, NUMBER, InvalidFrame, Schema, require_columns
from analytics.intervals import HIDDEN_BELOW, fit_beta_prior, wilson
from core.vocabulary import Channel

MATURE = timedelta(minutes=10)
"""A try is judged once it is this old: younger ones may still be pending, which is not failing."""

TRACKS_OPENS = frozenset({str(Channel.EMAIL)})
"""Channels that tell us about opens; a share of the others' deliveries would be a silent zero."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate's definition: the counted column over the column of those who could have been counted."""

    hits: str
    total: str
    meaning: str


RATES: Mapping[str, Rate] = MappingProxyType(
    {
        "delivery": Rate("delivered", "settled", "delivered / (sent − still pending within its SLA)"),
        "timely_delivery": Rate(
            "timely", "matured", "delivered within 10 minutes / sent at least 10 minutes ago"
        ),
        "bounce": Rate("bounced_hard", "sent", "hard bounces / sent"),
        "human_open": Rate(
            "opened", "tracked", "unique opens without machine opens / delivered where opens are told"
        ),
        "machine_open_share": Rate(
            "opened_by_machine", "opened_at_all", "opened by a machine only / opened at all"
        ),
        "click": Rate("clicked", "delivered", "unique human clicks / delivered"),
        "unsubscribe": Rate("unsubscribed", "delivered", "unsubscriptions / delivered"),
        "complaint": Rate("complained", "delivered", "complaints / delivered"),
    }
)
COUNTED = tuple(dict.fromkeys(name for rate in RATES.values() for name in (rate.hits, rate.total)))
COUNTS: Schema = MappingProxyType(dict.fromkeys(COUNTED, NUMBER))
GROUPS = ("channel", "provider", "message_type", "domain_or_carrier")

_TRY = ["notification_id", "channel", "provider"]
_ENDED = ("delivered", "bounced_hard", "bounced_soft", "failed")
_KINDS = (
    *_ENDED,
    "sent",
    "opened",
    "clicked",
    "unsubscribed",
    "complained",
    "opened by machine",
    "clicked by machine",
)


def summarise(events: pd.DataFrame, *, now: datetime, pending_sla: timedelta = MATURE) -> pd.DataFrame:
    """One row per notification × channel × provider that was sent, with a 0/1 column for everything counted.

    Give all events until `now` of the tries sent in a window: cohorts are by send time. Events without their `sent`
    belong to another cohort and are left out; repeated events count once; events after `now` (skewed clocks) are
    left out. No events give an empty frame with all columns.
    """
    require_columns(events, EVENTS)
    # Arrow instants overflow when subtracted from pandas' missing ones: all become pandas' own first
    known = events.assign(at=events["at"].astype("datetime64[us, UTC]"))
    known = known[known["at"] <= now]
    machine = np.where(
        known["is_machine"].astype(bool) & known["event"].isin(["opened", "clicked"]), " by machine", ""
    )
    kind = known["event"].astype("str") + pd.Series(machine, index=known.index, dtype="str")
    sent = known[known["event"] == "sent"].sort_values("at").drop_duplicates(_TRY)
    firsts = known.assign(kind=kind).pivot_table(
        index=_TRY, columns="kind", values="at", aggfunc="min", observed=True
    )
    # a kind that never happened has no type of its own
    firsts = firsts.reindex(columns=_KINDS).astype("datetime64[us, UTC]")
    tries = sent[[*_TRY, "user_id", "message_type", "domain_or_carrier", "at"]].rename(
        columns={"at": "sent_at"}
    )
    tries = tries.merge(firsts.reset_index(), on=_TRY, how="left")
    return _flags(tries, now, pending_sla)


def _flags(tries: pd.DataFrame, now: datetime, pending_sla: timedelta) -> pd.DataFrame:
    happened = {kind: tries[kind].notna() for kind in _KINDS}
    ended = np.logical_or.reduce([happened[kind].to_numpy() for kind in _ENDED])
    age = pd.Timestamp(now) - tries["sent_at"]
    tracked = happened["delivered"] & tries["channel"].isin(TRACKS_OPENS)
    opened = happened["opened"] & tracked
    flags = {
        "sent": np.ones(len(tries), dtype=bool),
        "delivered": happened["delivered"],
        "settled": ended | (age >= pending_sla),
        "matured": age >= MATURE,
        "timely": (age >= MATURE) & ((tries["delivered"] - tries["sent_at"]) <= MATURE).fillna(value=False),
        "bounced_hard": happened["bounced_hard"],
        "tracked": tracked,
        "opened": opened,
        "opened_by_machine": happened["opened by machine"] & tracked & ~opened,
        "opened_at_all": (happened["opened by machine"] | happened["opened"]) & tracked,
        "clicked": happened["clicked"] & happened["delivered"],
        "unsubscribed": happened["unsubscribed"] & happened["delivered"],
        "complained": happened["complained"] & happened["delivered"],
    }
    about = tries[["notification_id", "user_id", *GROUPS, "sent_at"]]
    return pd.concat(
        [
            about,
            pd.DataFrame(
                {name: np.asarray(flag, dtype=np.int8) for name, flag in flags.items()}, index=tries.index
            ),
        ],
        axis=1,
    )


def count(tries: pd.DataFrame, by: Sequence[str] = ("channel",)) -> pd.DataFrame:
    """The sums of everything counted, one row per group; `by` are columns such as channel, provider, message_type."""
    for name in by:
        if name not in tries.columns:
            raise InvalidFrame(name, f"can't group by it: the tries have {sorted(map(str, tries.columns))}")
    require_columns(tries, COUNTS)
    if not by:
        return tries[list(COUNTED)].sum().to_frame().T.astype("int64")
    return (
        tries.groupby(list(by), observed=True, dropna=False)[list(COUNTED)]
        .sum()
        .astype("int64")
        .reset_index()
    )


def rates(
    counts: pd.DataFrame, by: Sequence[str] = ("channel",), *, confidence: float = 0.95
) -> pd.DataFrame:
    """Tidy rows (group, rate, hits, total, value, low, high, shrunk, shown), one per group and rate that can be known.

    `low`/`high` are the Wilson interval; `shrunk` is the empirical-Bayes mean for rankings; `shown` is False under
    n = 30, where `value` must not be shown as a percentage. Groups with a total of 0 have no row: nothing is known.
    """
    require_columns(counts, COUNTS)
    tables = [_one_rate(counts, list(by), name, rate, confidence) for name, rate in RATES.items()]
    return pd.concat(tables, ignore_index=True)


def _one_rate(counts: pd.DataFrame, by: list[str], name: str, rate: Rate, confidence: float) -> pd.DataFrame:
    seen = counts[counts[rate.total] > 0]
    hits, total = seen[rate.hits].to_numpy(dtype=float), seen[rate.total].to_numpy(dtype=float)
    low, high = wilson(hits, total, confidence=confidence)
    table = seen[by].reset_index(drop=True)
    return table.assign(
        rate=pd.Series([name] * len(seen), dtype="str"),
        hits=hits.astype("int64"),
        total=total.astype("int64"),
        value=hits / total,
        low=low,
        high=high,
        shrunk=fit_beta_prior(hits, total).shrink(hits, total),
        shown=total >= HIDDEN_BELOW,
    )
