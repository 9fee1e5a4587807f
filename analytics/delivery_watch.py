"""Is delivery falling? Each provider's five-minute windows of the last day against what is normal for their hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from analytics.alarms import fit_baseline, scan
from analytics.rates import MATURE

LEARNT_FROM = timedelta(days=28)
JUDGED = timedelta(hours=24)
STILL = timedelta(minutes=30)
"""An alarm lasts until half an hour has passed without one."""
LEAST_WINDOWS = 40
LEAST_PAST = timedelta(days=2)
"""With a shorter past nothing is called normal yet."""
LEAST_TRIES = 30
"""The limit is an approximation that needs so many tries in a window: quiet streams get wider windows."""
WIDTHS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60, 120, 240))


@dataclass(frozen=True, slots=True)
class Watch:
    """One stream (channel/provider): whether it alarms now, since when, and the numbers that say so.

    `learning` means that there is too little past to judge by, `normal` None that there is nothing to judge. `windows` are
    the judged ones with `z` and `limit`.
    """

    subject: str
    learning: bool
    alarmed: bool
    since: datetime | None
    rate: float | None
    normal: float | None
    windows: pd.DataFrame

    def sentence(self) -> str:
        """For people."""
        if self.learning:
            return f"{self.subject}: still learning what is normal."
        if self.normal is None:
            return f"{self.subject}: nothing of the last day is old enough to be judged."
        if not self.alarmed:
            return f"{self.subject}: as usual ({self.normal:.1%} within 10 minutes)."
        return (
            f"{self.subject}: {self.rate:.1%} within 10 minutes in place of {self.normal:.1%},"
            f" since {self.since:%Y-%m-%d %H:%M} UTC."
        )


def watch(
    streams: pd.DataFrame, *, now: datetime, incidents: Sequence[tuple[datetime, datetime]] = ()
) -> list[Watch]:
    """One `Watch` per channel and provider of `streams` (`load.streams` of the last 28 days and one).

    `incidents` are earlier alarms [start, end): what is normal is learnt outside them.
    """
    bad_times = [(pd.Timestamp(start), pd.Timestamp(end)) for start, end in incidents]
    return [
        _judge(f"{channel}/{provider}", windows[["at", "hits", "total"]], now, bad_times)
        for (channel, provider), windows in streams.groupby(["channel", "provider"])
    ]


def coarsened(windows: pd.DataFrame) -> pd.DataFrame:
    """The windows, put together until they hold 30 tries on average (at most 4 hours); `attrs["width"]` says how wide."""
    for width in WIDTHS:
        wider = (
            windows.assign(at=windows["at"].dt.floor(width))
            .groupby("at", as_index=False)[["hits", "total"]]
            .sum()
        )
        wider.attrs["width"] = width
        if wider["total"].mean() >= LEAST_TRIES:
            break
    return wider


def _judge(
    subject: str, windows: pd.DataFrame, now: datetime, bad_times: list[tuple[pd.Timestamp, pd.Timestamp]]
) -> Watch:
    windows = coarsened(windows)
    recent = windows["at"] >= now - JUDGED
    past = windows[~recent]
    if len(past) < LEAST_WINDOWS or past["at"].max() - past["at"].min() < LEAST_PAST:
        return Watch(subject, True, False, None, None, None, windows[recent])
    judged = scan(windows[recent], fit_baseline(past, bad_times))
    alarms = judged[judged["alarm"]]
    still = (
        windows.attrs["width"] + MATURE + STILL
    )  # a window is told by its beginning and judged when it is mature
    fresh = alarms[alarms["at"] >= now - still]
    normal = float(judged["baseline"].mean()) if len(judged) else None
    if fresh.empty:
        return Watch(subject, False, False, None, None, normal, judged)
    since = _run_start(alarms["at"], still)
    bad = judged[judged["at"] >= since]
    rate = float(bad["hits"].sum() / bad["total"].sum())
    return Watch(subject, False, True, since.to_pydatetime(), rate, float(bad["baseline"].mean()), judged)


def _run_start(alarms: "pd.Series[pd.Timestamp]", still: timedelta) -> pd.Timestamp:
    """The first alarm of the run that the last one belongs to."""
    ordered = alarms.sort_values()
    breaks = ordered.diff() > still
    return pd.Timestamp(ordered[breaks].max() if breaks.any() else ordered.iloc[0])
