"""Recommendations: sentences with the numbers behind them and the rule that made them, worst first.

A rule looks at one kind of evidence and says nothing when it does not apply or knows too little.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analytics.intervals import HIDDEN_BELOW, as_percentage, fit_beta_prior
from analytics.off_policy import Uplift

COMPLAINT_LIMIT, COMPLAINT_TARGET = 0.003, 0.001
"""Gmail and Yahoo demand less than 0.3 % complaints and ask for 0.1 %."""
BOUNCE_LIMIT = 0.04
MACHINE_SHARE = 0.5
TIRED_SHARE = 0.10
SLOT_LIFT = 1.3
SURE = 0.95

WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do and why: `sentence` for people, `numbers` for charts, `rule` as it was applied; 1 is most urgent."""

    urgency: int
    sentence: str
    rule: str
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that rules may look at; what is missing makes its rules silent.

    `rates` is the table of `analytics.rates` with the columns `by`; `engaged` and `sent` are 7 × 24 by send hour;
    `tired` of `people` are fatigued; `uplifts` by channel.
    """

    rates: pd.DataFrame | None = None
    by: tuple[str, ...] = ("channel", "message_type")
    engaged: NDArray[np.int64] | None = None
    sent: NDArray[np.int64] | None = None
    tired: int = 0
    people: int = 0
    uplifts: Mapping[str, Uplift] = field(default_factory=dict)


def recommend(evidence: Evidence) -> list[Recommendation]:
    """What all rules say, most urgent first; [] when nothing stands out."""
    return sorted(chain.from_iterable(rule(evidence) for rule in RULES), key=lambda each: each.urgency)


def _rows(evidence: Evidence, rate: str) -> list[Mapping[str, float]]:
    if evidence.rates is None:
        return []
    table = evidence.rates[(evidence.rates["rate"] == rate) & evidence.rates["shown"]]
    rows = table.to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def _name(row: Mapping[str, object], by: Sequence[str]) -> str:
    return " · ".join(str(row[column]) for column in by if column in row)


def _shown(row: Mapping[str, float]) -> str:
    return as_percentage(row["value"], row["total"], low=row["low"], high=row["high"])


def _numbers(row: Mapping[str, float]) -> dict[str, float]:
    return {name: float(row[name]) for name in ("value", "low", "high", "total")}


def complaints(evidence: Evidence) -> list[Recommendation]:
    """Complaints surely above the target, urgent above the limit."""
    found = []
    for row in _rows(evidence, "complaint"):
        if row["low"] > COMPLAINT_TARGET:
            urgent = row["value"] >= COMPLAINT_LIMIT
            todo = "stop sending it and find out who gets it" if urgent else "send it to fewer people"
            text = f"{_name(row, evidence.by)} draws complaints from {_shown(row)} of deliveries (target 0.1 %): {todo}."
            rule = "lower Wilson bound of complaints > 0.1 %; urgent from 0.3 %"
            found.append(Recommendation(1 if urgent else 2, text, rule, _numbers(row)))
    return found


def bounces(evidence: Evidence) -> list[Recommendation]:
    """Hard bounces surely above 4 %: the addresses are old."""
    return [
        Recommendation(
            2,
            f"{_name(row, evidence.by)} bounces hard for {_shown(row)} of sends (limit 4 %): confirm addresses first.",
            "lower Wilson bound of hard bounces > 4 %",
            _numbers(row),
        )
        for row in _rows(evidence, "bounce")
        if row["low"] > BOUNCE_LIMIT
    ]


def weak_types(evidence: Evidence) -> list[Recommendation]:
    """A group whose click rate is surely below half of what the groups have in common."""
    rows = _rows(evidence, "click")
    if len(rows) < 3:
        return []
    hits, totals = np.array([row["hits"] for row in rows]), np.array([row["total"] for row in rows])
    prior = fit_beta_prior(hits, totals)
    below = stats.beta.cdf(prior.mean / 2, hits + prior.alpha, totals - hits + prior.beta)
    return [
        Recommendation(
            4,
            f"{_name(row, evidence.by)} is clicked in {_shown(row)} of deliveries, less than half of the usual "
            f"{prior.mean:.1%}: rewrite it or send it less.",
            "P(click rate < half of the groups' mean) > 95 %, empirical Bayes",
            _numbers(row) | {"usual": prior.mean, "certainty": float(sure)},
        )
        for row, sure in zip(rows, below, strict=True)
        if sure > SURE
    ]


def machine_opens(evidence: Evidence) -> list[Recommendation]:
    """Where most opens are made by machines, opens say nothing."""
    return [
        Recommendation(
            5,
            f"{_shown(row)} of the opens of {_name(row, evidence.by)} are made by machines: judge it by clicks.",
            "lower Wilson bound of the machine-open share > 50 %",
            _numbers(row),
        )
        for row in _rows(evidence, "machine_open_share")
        if row["low"] > MACHINE_SHARE
    ]


def best_slot(evidence: Evidence) -> list[Recommendation]:
    """The three-hour slot of the week whose messages are surely engaged with more often than the average one."""
    if evidence.engaged is None or evidence.sent is None or not evidence.engaged.sum():
        return []
    engaged, sent = (
        sum(np.roll(each, -ahead, axis=1) for ahead in range(3)) for each in (evidence.engaged, evidence.sent)
    )
    overall = float(evidence.engaged.sum() / evidence.sent.sum())
    # the best of 168 slots is chosen: its bound is Bonferroni's
    low = stats.beta.ppf(0.05 / 168, np.maximum(engaged, 0.5), np.maximum(sent - engaged + 1, 1))
    lifts = np.where(np.asarray(sent) >= HIDDEN_BELOW, low / overall, 0.0)
    day, hour = (int(each) for each in np.unravel_index(lifts.argmax(), lifts.shape))
    if lifts[day, hour] <= SLOT_LIFT:
        return []
    share = float(np.asarray(engaged)[day, hour] / np.asarray(sent)[day, hour])
    text = (
        f"Messages sent on {WEEKDAYS[day]} from {hour}:00 to {(hour + 3) % 24}:00 local time are engaged with "
        f"{share / overall:.1f} × as often as the average one ({share:.1%} against {overall:.1%}): send more of them then."
    )
    numbers = {"weekday": float(day), "hour": float(hour), "share": share, "overall": overall}
    return [Recommendation(4, text, "Clopper–Pearson bound (p < 0.05/168) of the slot's lift > 1.3", numbers)]


def fatigue(evidence: Evidence) -> list[Recommendation]:
    """Too many people whose silence is no longer chance."""
    if evidence.people < HIDDEN_BELOW or evidence.tired / evidence.people <= TIRED_SHARE:
        return []
    share = evidence.tired / evidence.people
    text = (
        f"{evidence.tired:,} of {evidence.people:,} people ({share:.0%}) ignore more in a row than chance explains: "
        "their weekly caps are halved, send less to all."
    )
    return [
        Recommendation(
            3,
            text,
            "run of ignored messages with probability < 5 % for more than 10 % of people",
            {"share": share},
        )
    ]


def send_times(evidence: Evidence) -> list[Recommendation]:
    """What the measured uplift says about personal send times."""
    return [
        Recommendation(
            5, f"{channel}: {uplift.sentence()}", "doubly robust 95 % interval above 0 and effective sample ≥ 200",
            {"value": uplift.dr.value, "low": uplift.dr.low, "high": uplift.dr.high, "ess": uplift.ess},
        )
        for channel, uplift in evidence.uplifts.items()
    ]  # fmt: skip


RULES: Sequence[Callable[[Evidence], list[Recommendation]]] = (
    complaints, bounces, fatigue, best_slot, weak_types, machine_opens, send_times,
)  # fmt: skip
