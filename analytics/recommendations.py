"""Sentences with numbers, and the rule that made each of them: what the engagement analysis would change."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.intervals import fit_beta_prior

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NOTABLE_LIFT = 1.2
LEAST_SENT = 100
MANY_MACHINES = 0.3
MANY_TIRED = 0.1
MANY_GOODBYES = 0.005


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do, with its numbers, and the rule that says so."""

    sentence: str
    rule: str


def recommend(
    *, hours: pd.DataFrame, funnel: pd.DataFrame, tiers: Mapping[str, int], tired: int
) -> list[Recommendation]:
    """From sends by local hour (`engagement_load.send_hours`), counts by channel, and people by tier."""
    return [*_hours(hours), *_machines(funnel), *_goodbyes(funnel), *_tired(tiers, tired)]


def _hours(hours: pd.DataFrame) -> Iterator[Recommendation]:
    for channel, rows in hours.groupby("channel"):
        sent, engaged = rows["sent"].to_numpy(dtype=float), rows["engaged"].to_numpy(dtype=float)
        average = engaged.sum() / max(1.0, sent.sum())
        if average == 0:
            continue
        lift = fit_beta_prior(engaged, sent).shrink(engaged, sent) / average
        lift[sent < LEAST_SENT] = 0
        best = int(np.argmax(lift))
        if lift[best] >= NOTABLE_LIFT:
            cell = rows.iloc[best]
            yield Recommendation(
                f"Send more {channel} on {DAYS[int(cell['weekday'])]} at {int(cell['hour'])}:00 local time: engaged with"
                f" {lift[best]:.1f} times as often as the average ({int(cell['engaged'])} of {int(cell['sent'])}).",
                f"shrunk lift of a send hour ≥ {NOTABLE_LIFT} with at least {LEAST_SENT} sends",
            )


def _machines(funnel: pd.DataFrame) -> Iterator[Recommendation]:
    for row in funnel.to_dict("records"):
        if (
            row["opened_at_all"] >= LEAST_SENT
            and row["opened_by_machine"] / row["opened_at_all"] >= MANY_MACHINES
        ):
            yield Recommendation(
                f"Judge {row['channel']} by clicks: {row['opened_by_machine'] / row['opened_at_all']:.0%} of its opens"
                f" were made by machines only ({row['opened_by_machine']:,} of {row['opened_at_all']:,}).",
                f"share of machine opens ≥ {MANY_MACHINES:.0%}",
            )


def _goodbyes(funnel: pd.DataFrame) -> Iterator[Recommendation]:
    for row in funnel.to_dict("records"):
        if row["delivered"] >= LEAST_SENT and row["unsubscribed"] / row["delivered"] >= MANY_GOODBYES:
            yield Recommendation(
                f"Send less {row['channel']}: {row['unsubscribed'] / row['delivered']:.1%} of deliveries ended a"
                f" subscription ({row['unsubscribed']:,} of {row['delivered']:,}).",
                f"unsubscriptions ≥ {MANY_GOODBYES:.1%} of deliveries",
            )


def _tired(tiers: Mapping[str, int], tired: int) -> Iterator[Recommendation]:
    people = sum(tiers.values())
    if people and tired / people >= MANY_TIRED:
        yield Recommendation(
            f"Pause what is not urgent for {tired:,} people ({tired / people:.0%}): they have ignored more in a row than"
            " chance explains.",
            f"run of ignored messages with p < 5 % for at least {MANY_TIRED:.0%} of people",
        )
