"""track-delivery-rates (every 30 minutes): what share of the last 24 hours' sends arrived, by whom and for what.

events ─refresh▶ rollups ─measure▶ figures with Wilson intervals ─keep▶ Postgres, Redis ─show▶ table, verdict, pictures
                    └─watch▶ alarms per provider
"""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from core.clock import utc_now
from flows import artifacts
from flows.links import web
from flows.window import Hours, Window, WindowEnd, window_before

HOLD_SECONDS = 2 * 60 * 60
ALARM = "delivery_rate"


@flow(name="track-delivery-rates", retries=1, retry_delay_seconds=10 * 60)
def track_delivery_rates(end: WindowEnd | None = None, hours: Hours = 24) -> Any:
    """Delivery figures of the tries sent in the `hours` hours before `end`, replacing earlier ones of that window.

    Args:
        end: a past instant at whole five minutes; now when empty
        hours: length of the window

    """
    window = window_before(end, hours, utc_now())
    refresh()
    figures = measure(window)
    watches = watch() if end is None else []
    keep(window, figures, is_current=end is None)
    show(window, figures, watches)
    result = summary(window, figures, watches)
    return Completed(message=finding(figures, watches), data=result)


@task(cache_policy=NO_CACHE, persist_result=False)
def refresh() -> None:
    """Brings the rollups up to date."""
    from analytics import rollups

    rollups.refresh()


@task(cache_policy=NO_CACHE, persist_result=False)
def measure(window: Window) -> list[Any]:
    """Reads the window's rollups by ADBC, in one snapshot, and computes its figures (`delivery_figures.Figures`)."""
    from analytics import load
    from analytics.delivery_figures import all_figures

    now = utc_now()
    with load.reader() as connection:
        return all_figures(
            load.try_counts(connection, window.start, window.end, now=now),
            load.domain_counts(connection, window.start, window.end, now=now),
            load.latencies(connection, window.start, window.end),
        )


@task(cache_policy=NO_CACHE, persist_result=False)
def watch() -> list[Any]:
    """Judges every provider's last day against its last 28 (`delivery_watch.Watch`) and settles the alarms."""
    from analytics import load
    from analytics.alarm_store import Raised, settle_alarms, spans
    from analytics.delivery_watch import JUDGED, LEARNT_FROM
    from analytics.delivery_watch import watch as judge
    from core.database import transaction

    now = utc_now()
    since = now - LEARNT_FROM - JUDGED
    with load.reader() as reader, transaction() as connection:
        watches = judge(
            load.streams(reader, since, now=now),
            now=now,
            incidents=spans(connection, ALARM, since=since, now=now),
        )
        raised = [
            Raised(
                each.subject, each.sentence(), {"since": each.since, "rate": each.rate, "normal": each.normal}
            )
            for each in watches
            if each.alarmed
        ]
        settle_alarms(connection, ALARM, raised, now=now)
    return watches


@task(cache_policy=NO_CACHE, persist_result=False)
def keep(window: Window, figures: Sequence[Any], *, is_current: bool) -> None:
    """Replaces the window's rows in Postgres and, unless it is a window of the past, the current values in Redis."""
    from analytics.store import publish_delivery_rates, replace_delivery_rates

    replace_delivery_rates(window.start, window.end, figures)
    if is_current:
        publish_delivery_rates(window.start, window.end, figures, hold_seconds=HOLD_SECONDS)


def show(window: Window, figures: Sequence[Any], watches: Sequence[Any]) -> None:
    """A table, a verdict in words, and each provider's rate with its alarm limit."""
    from analytics.plots import rate_plot

    artifacts.table(
        "delivery-rates",
        [_row(each) for each in figures],
        about=f"Tries sent in {window}; every rate with its 95 % Wilson interval, hidden under 30.",
        empty=f"nothing was sent in {window}",
    )
    artifacts.verdict("delivery-verdict", verdict(window, figures, watches), about="Delivery in words")
    judged = [each for each in watches if not each.learning and len(each.windows) > 1]
    artifacts.pictures(
        "delivery-pictures",
        {each.sentence(): rate_plot(each.subject, each.windows) for each in judged},
        about="Each provider's last day against its alarm limit",
    )


def verdict(window: Window, figures: Sequence[Any], watches: Sequence[Any]) -> str:
    """What a person should know about the window, in Markdown."""
    from analytics.delivery_figures import shown

    title = f"## Delivery, {window}\n\n"
    whole = next((each.values for each in figures if each.grouping == "all"), None)
    if whole is None:
        return f"{title}Nothing was sent in this window: there is nothing to judge."
    arrived, in_time = (shown(whole["rates"].get(name)) for name in ("delivery", "timely_delivery"))
    lines = [
        *(f"**ALARM** {each.sentence()}\n" for each in watches if each.alarmed),
        f"**{whole['counts']['sent']:,} sent** for ${whole['cost']:,.4f}.",
        f"Delivered: {arrived}; within 10 minutes: {in_time}.",
        "",
        "| channel | sent | delivered | median | p95 | hard bounces |",
        "|---|---:|---|---:|---:|---|",
        *(_line(each) for each in figures if each.grouping == "channel"),
        "",
        *(f"- {each.sentence()}" for each in watches if not each.alarmed),
        "",
        f"[Delivery]({web('delivery')}) · [Timeline]({web('timeline')})",
    ]
    return title + "\n".join(lines)


def finding(figures: Sequence[Any], watches: Sequence[Any]) -> str:
    """The run in one sentence."""
    from analytics.delivery_figures import shown

    whole = next((each.values for each in figures if each.grouping == "all"), None)
    if whole is None:
        return "Nothing was sent in this window."
    falling = [each.subject for each in watches if each.alarmed]
    learning = sum(each.learning for each in watches)
    state = (
        f"{len(falling)} of {len(watches)} providers fall: {', '.join(falling)}"
        if falling
        else "no provider falls"
    )
    return (
        f"{whole['counts']['sent']:,} sent for ${whole['cost']:,.4f}, delivered {shown(whole['rates'].get('delivery'))};"
        f" {state}{f', {learning} still being learnt' if learning else ''}."
    )


def _line(each: Any) -> str:
    from analytics.delivery_figures import shown

    rates, latency = each.values["rates"], each.values["latency_ms"]
    return (
        f"| {each.name} | {each.values['counts']['sent']:,} | {shown(rates.get('delivery'))}"
        f" | {_seconds(latency, 'p50')} | {_seconds(latency, 'p95')} | {shown(rates.get('bounce'))} |"
    )


def _row(each: Any) -> dict[str, Any]:
    from analytics.delivery_figures import shown

    values = each.values
    names = ("delivery", "timely_delivery", "bounce", "human_open", "machine_open_share", "click")
    return {
        "by": each.grouping,
        "group": each.name,
        "sent": values["counts"]["sent"],
        **{name.replace("_", " "): shown(values["rates"].get(name)) for name in names},
        "p50": _seconds(values["latency_ms"], "p50"),
        "p95": _seconds(values["latency_ms"], "p95"),
        "cost": f"${values['cost']:.4f}",
    }


def _seconds(latency: Mapping[str, int], percentile: str) -> str:
    return f"{latency[percentile] / 1000:.1f} s" if percentile in latency else "–"


def summary(window: Window, figures: Sequence[Any], watches: Sequence[Any]) -> dict[str, Any]:
    """The result of the run: the window, what was counted, each channel's delivery rate, and the alarms."""
    whole = next(
        (each.values["counts"] for each in figures if each.grouping == "all"), {"sent": 0, "delivered": 0}
    )
    return {
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "sent": whole["sent"],
        "delivered": whole["delivered"],
        "delivery_rates": {
            each.name: round(each.values["rates"]["delivery"]["value"], 4)
            for each in figures
            if each.grouping == "channel" and "delivery" in each.values["rates"]
        },
        "alarms": [each.subject for each in watches if each.alarmed],
    }
