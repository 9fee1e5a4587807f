"""analyze-user-engagement (hourly): who is with us, who is tired, when people answer, and what that advises.

user-days ─score▶ everybody's percentile and tier ┐
events ─look▶ hours, cohorts, funnel              ┴─keep▶ Postgres ─show▶ table, heat map, verdict
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from core.clock import utc_now
from core.errors import InvalidRequest
from flows import artifacts
from flows.links import web
from flows.window import Hours, Window, WindowEnd, window_before

REPORT = "engagement"
PATTERNS_FROM = 7 * 24
NO_SCORES: Mapping[str, Any] = {
    "people": 0, "tiers": {}, "tired": 0, "why": "scores are of now, and this window is of the past",
}  # fmt: skip


@flow(name="analyze-user-engagement", retries=1, retry_delay_seconds=30 * 60)
def analyze_user_engagement(end: WindowEnd | None = None, hours: Hours = PATTERNS_FROM) -> Any:
    """Scores, tiers and fatigue of everybody as of now, and the patterns of the `hours` hours before `end`.

    For a window of the past the patterns alone: scores are of now.

    Args:
        end: a past instant at whole five minutes; now when empty
        hours: length of the window of the patterns

    """
    now = utc_now()
    window = window_before(end, hours, now)
    refresh()
    scored = score(now) if end is None else NO_SCORES
    patterns = look(window, scored)
    keep(window, scored, patterns)
    show(window, scored, patterns)
    found = {
        "people": scored["people"],
        "tiers": scored["tiers"],
        "tired": scored["tired"],
        "auc": scored.get("auc"),
    }
    return Completed(message=finding(scored, patterns), data=found)


@task(cache_policy=NO_CACHE, persist_result=False)
def refresh() -> None:
    """Brings the rollups up to date."""
    from analytics import rollups

    rollups.refresh()


@task(cache_policy=NO_CACHE, persist_result=False)
def score(now: datetime) -> dict[str, Any]:
    """Scores everybody and writes it down; with too little to learn from it says why in place of numbers."""
    from analytics.engagement_run import keep_scores, score_everybody
    from analytics.load import reader
    from core.database import transaction

    try:
        with reader() as connection:
            scored = score_everybody(connection, now=now)
    except InvalidRequest as too_little:
        get_run_logger().warning("no scores: %s", too_little)
        return {"people": 0, "tiers": {}, "tired": 0, "why": str(too_little)}
    with transaction() as connection:
        keep_scores(connection, scored.rows)
    held_out = scored.model.held_out
    return {
        "people": len(scored.rows),
        "tiers": {str(name): int(count) for name, count in scored.rows["tier"].value_counts().items()},
        "tired": int(scored.rows["is_tired"].sum()),
        "auc": round(held_out.auc, 3),
        "brier": round(held_out.brier, 4),
        "base_brier": round(held_out.base_brier, 4),
        "weights": {name: round(float(weight), 3) for name, weight in scored.model.weights().items()},
    }


@task(cache_policy=NO_CACHE, persist_result=False)
def look(window: Window, scored: Mapping[str, Any]) -> dict[str, Any]:
    """Heat map, cohorts and funnel of the window, with what they advise."""
    from analytics import engagement_load as load
    from analytics.load import reader
    from analytics.patterns import funnel, retention
    from analytics.recommendations import recommend

    with reader() as connection:
        hours = load.send_hours(connection, window.start, window.end)
        counts = load.funnel_counts(connection, window.start, window.end)
        days, people = load.sample(connection, 50_000, now=window.end)
    advice = recommend(hours=hours, funnel=counts, tiers=scored["tiers"], tired=scored["tired"])
    return {
        "hours": hours.to_dict("records"),
        "funnel": funnel(counts, ("channel",)).to_dict("records") if len(counts) else [],
        "cohorts": _known(retention(days, people), days["day"].min()).to_dict("records") if len(days) else [],
        "advice": [asdict(each) for each in advice],
    }


def _known(cohorts: Any, first_day: Any) -> Any:
    """The rows of months in which we were sending already: before them, silence says nothing."""
    import pandas as pd

    months = pd.PeriodIndex(cohorts["cohort"], freq="M") + cohorts["month"].to_numpy(dtype=int)
    return cohorts[months >= pd.Period(first_day.tz_localize(None), freq="M")]


@task(cache_policy=NO_CACHE, persist_result=False)
def keep(window: Window, scored: Mapping[str, Any], patterns: Mapping[str, Any]) -> None:
    """Replaces the report of the window, and the caps of a week that has ended."""
    from analytics.caps import learn_caps
    from analytics.store import replace_report
    from core.database import transaction

    with transaction() as connection:
        replace_report(connection, REPORT, window.start, window.end, {"scores": dict(scored), **patterns})
        learn_caps(connection, now=window.end - timedelta(minutes=5))


def show(window: Window, scored: Mapping[str, Any], patterns: Mapping[str, Any]) -> None:
    """The funnel, the heat map, the cohorts, and a verdict in words."""
    artifacts.table(
        "engagement-funnel",
        [_step(row) for row in patterns["funnel"]],
        about=f"From sent to clicked, {window}; opens by humans",
        empty=f"nothing was sent in {window}",
    )
    artifacts.table(
        "engagement-cohorts",
        [_cohort(row) for row in patterns["cohorts"] if row["shown"]],
        about="Of those who joined in a month: how many engaged k months later",
        empty="no cohort of 30 people yet",
    )
    artifacts.pictures(
        "engagement-hours", _heat_maps(patterns["hours"]), about="Engagement by the local time of the send"
    )
    artifacts.verdict("engagement-verdict", verdict(window, scored, patterns), about="Engagement in words")


def _heat_maps(hours: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    import numpy as np

    from analytics.patterns import lift
    from analytics.plots import heat_map_plot

    pictures = {}
    for channel in sorted({row["channel"] for row in hours}):
        sent, engaged = np.zeros((2, 7, 24), dtype=np.int64)
        for row in hours:
            if row["channel"] == channel:
                sent[row["weekday"], row["hour"]], engaged[row["weekday"], row["hour"]] = (
                    row["sent"],
                    row["engaged"],
                )
        title = f"{channel}: engagement by local time of the send (blank: fewer than 30 sends)"
        pictures[channel] = heat_map_plot(title, lift(engaged, sent), unit="× average")
    return pictures


def verdict(window: Window, scored: Mapping[str, Any], patterns: Mapping[str, Any]) -> str:
    """What a person should know about engagement, in Markdown."""
    people, advice = scored["people"], patterns["advice"]
    lines = [
        f"## Engagement, {window}\n",
        f"**{people:,} people**: {_tiers(scored)}; {scored['tired']:,} are tired."
        if people
        else f"No scores: {scored['why']}",
        "",
        *(
            [
                f"The model of last week ranks at AUC {scored['auc']}, Brier {scored['brier']} (base {scored['base_brier']}).\n"
            ]
            if people
            else []
        ),
        *(
            [f"- {each['sentence']} *({each['rule']})*" for each in advice]
            or ["No advice: no rule has fired."]
        ),
        f"\n[Engagement]({web('engagement')})",
    ]
    return "\n".join(lines)


def finding(scored: Mapping[str, Any], patterns: Mapping[str, Any]) -> str:
    """The run in one sentence."""
    advice = len(patterns["advice"])
    advised = f"{advice} piece{'s' if advice != 1 else ''} of advice"
    if not scored["people"]:
        return f"No scores: {scored['why']}; {advised}."
    return (
        f"{scored['people']:,} people scored: {_tiers(scored)}; {scored['tired']:,} tired;"
        f" AUC {scored['auc']} on last week; {advised}."
    )


def _tiers(scored: Mapping[str, Any]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(scored["tiers"].items()))


def _step(row: Mapping[str, Any]) -> dict[str, Any]:
    share = "–" if not row["of"] else f"{row['share']:.1%} [{row['low']:.1%}–{row['high']:.1%}]"
    return {
        "channel": row["channel"],
        "step": row["step"],
        "count": row["count"],
        "of": row["of"],
        "share": share,
    }


def _cohort(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "joined in": row["cohort"], "months later": row["month"], "people": row["people"], "engaged": row["engaged"],
        "share": f"{row['share']:.1%} [{row['low']:.1%}–{row['high']:.1%}]",
    }  # fmt: skip
