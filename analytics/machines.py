"""Opens and clicks that no human made: privacy proxies fetch mails at once, scanners follow every link."""

from datetime import timedelta

import pandas as pd

from analytics.frames import EVENTS, require_columns

AT_ONCE = timedelta(seconds=3)
"""Nobody reads a mail this soon after its delivery."""
SWEEP = timedelta(seconds=5)
SWEEP_CLICKS = 3
"""So many clicks of one notification within `SWEEP` are a scanner that follows all links."""


def mark_machines(events: pd.DataFrame) -> pd.DataFrame:
    """A copy with `is_machine` also set by time: within 3 s of delivery, or 3 clicks of one notification in 5 s.

    Known agents were marked when the callback came; this adds what only the times of several events can tell.
    """
    require_columns(events, EVENTS)
    marked = events.copy()
    if len(marked) == 0:
        return marked
    delivered = marked.loc[marked["event"] == "delivered"].groupby("notification_id")["at"].min()
    since_delivery = marked["at"] - marked["notification_id"].map(delivered)
    answered = marked["event"].isin(["opened", "clicked"])
    at_once = answered & (since_delivery < AT_ONCE).fillna(value=False)
    marked["is_machine"] = marked["is_machine"] | at_once | _sweeps(marked)
    return marked


def _sweeps(events: pd.DataFrame) -> "pd.Series[bool]":
    """True for every click that has enough other clicks of its notification around it."""
    clicks = events.loc[events["event"] == "clicked", ["notification_id", "at"]].sort_values(
        ["notification_id", "at"]
    )
    groups = clicks.groupby("notification_id")["at"]
    ends = (groups.shift(-(SWEEP_CLICKS - 1)) - clicks["at"]) <= SWEEP  # a sweep starts at this click
    found = ends.fillna(value=False)
    starts = found.astype(int)
    for back in range(1, SWEEP_CLICKS):
        starts = starts + found.groupby(clicks["notification_id"]).shift(back, fill_value=False).astype(int)
    return (starts > 0).reindex(events.index, fill_value=False)
