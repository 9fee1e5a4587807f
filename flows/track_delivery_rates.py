"""track-delivery-rates (every 30 minutes): what share of the last 24 hours' sends arrived, by whom and for what.

events ─measure▶ figures with Wilson intervals ─keep▶ Postgres, Redis ─show▶ table and verdict in the UI
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from analytics.delivery_figures import Figures, figures_of_events, shown
from core.clock import utc_now
from flows.links import web
from flows.window import Hours, PastInstant, Window, window_before

HOLD_SECONDS = 2 * 60 * 60


@flow(name="track-delivery-rates", retries=1, retry_delay_seconds=10 * 60)
def track_delivery_rates(end: PastInstant | None = None, hours: Hours = 24) -> dict[str, Any]:
    """Delivery figures of the tries sent in the `hours` hours before `end` (now when empty), replacing earlier ones."""
    window = window_before(end, hours, utc_now())
    found = measure(window)
    keep(window, found, current=end is None)
    show(window, found)
    return summary(window, found)


@task(cache_policy=NO_CACHE)
def measure(window: Window) -> list[Figures]:
    """Reads the window by ADBC and computes its figures."""
    from analytics.load import events_of_tries, reader

    with reader() as connection:
        events = events_of_tries(connection, window.start, window.end)
    return figures_of_events(events, window.start, window.end, now=utc_now())


@task(cache_policy=NO_CACHE)
def keep(window: Window, found: Sequence[Figures], *, current: bool) -> None:
    """Replaces the window's rows in Postgres and, unless it is a window of the past, the current values in Redis."""
    from analytics.store import publish_delivery_rates, replace_delivery_rates

    replace_delivery_rates(window.start, window.end, found)
    if current:
        publish_delivery_rates(window.start, window.end, found, hold_seconds=HOLD_SECONDS)


def show(window: Window, found: Sequence[Figures]) -> None:
    """A table per run and a verdict in words."""
    create_table_artifact(
        key="delivery-rates",
        table=[_row(each) for each in found] or [{"group": f"nothing was sent in {window}"}],
        description=f"Tries sent in {window}; every rate with its 95 % Wilson interval.",
    )
    create_markdown_artifact(
        key="delivery-verdict", markdown=verdict(window, found), description="Delivery in words"
    )


def verdict(window: Window, found: Sequence[Figures]) -> str:
    """What a person should know about the window, in Markdown."""
    title = f"## Delivery, {window}\n\n"
    whole = next((each.values for each in found if each.grouping == "all"), None)
    if whole is None:
        return f"{title}Nothing was sent in this window: there is nothing to judge."
    arrived, in_time = (shown(whole["rates"].get(name)) for name in ("delivery", "timely_delivery"))
    lines = [
        f"**{whole['counts']['sent']:,} sent** for ${whole['cost']:,.4f}.",
        f"Delivered: {arrived}; within 10 minutes: {in_time}.",
        "",
        "| channel | sent | delivered | median | p95 | hard bounces |",
        "|---|---:|---|---:|---:|---|",
        *(_line(each) for each in found if each.grouping == "channel"),
        "",
        f"[Delivery dashboard]({web('delivery')}) · [Timeline]({web('timeline')})",
    ]
    return title + "\n".join(lines)


def _line(each: Figures) -> str:
    rates, latency = each.values["rates"], each.values["latency_ms"]
    return (
        f"| {each.name} | {each.values['counts']['sent']:,} | {shown(rates.get('delivery'))} | {_seconds(latency, 'p50')}"
        f" | {_seconds(latency, 'p95')} | {shown(rates.get('bounce'))} |"
    )


def _row(each: Figures) -> dict[str, Any]:
    values = each.values
    return {
        "by": each.grouping,
        "group": each.name,
        "sent": values["counts"]["sent"],
        **{
            name: shown(values["rates"].get(name))
            for name in ("delivery", "timely_delivery", "bounce", "human_open", "click")
        },
        "p50": _seconds(values["latency_ms"], "p50"),
        "p95": _seconds(values["latency_ms"], "p95"),
        "cost": f"${values['cost']:.4f}",
    }


def _seconds(latency: Mapping[str, int], percentile: str) -> str:
    return f"{latency[percentile] / 1000:.1f} s" if percentile in latency else "–"


def summary(window: Window, found: Sequence[Figures]) -> dict[str, Any]:
    """The result of the run: the window, what was counted, and each channel's delivery rate."""
    whole = next(
        (each.values["counts"] for each in found if each.grouping == "all"), {"sent": 0, "delivered": 0}
    )
    return {
        **{name: at.isoformat() for name, at in asdict(window).items()},
        "sent": whole["sent"],
        "delivered": whole["delivered"],
        "delivery_rates": {
            each.name: round(each.values["rates"]["delivery"]["value"], 4)
            for each in found
            if each.grouping == "channel" and "delivery" in each.values["rates"]
        },
    }
