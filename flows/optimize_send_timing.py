"""optimize-send-timing (every 2 hours): when each person is there, and whether knowing it is worth anything.

active hours ─learn▶ rhythms of everybody, curves of each ─▶ Postgres, Redis ─show▶ table, curves, verdict
send choices ─measure▶ uplift with its interval ─▶ personalisation on or off
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from core.clock import utc_now
from core.vocabulary import Channel
from flows import artifacts
from flows.links import web

REPORT = "send_times"


@flow(name="optimize-send-timing", retries=1, retry_delay_seconds=60 * 60)
def optimize_send_timing() -> dict[str, Any]:
    """Learns every channel's send times as of now and writes them for the send path."""
    now = utc_now()
    refresh()
    found = [learn_channel(str(channel), now) for channel in Channel]
    keep(found, now)
    show(found)
    return {
        each["channel"]: {name: each[name] for name in ("people", "active", "strength", "personalise")}
        for each in found
    }


@task(cache_policy=NO_CACHE, persist_result=False)
def refresh() -> None:
    """Brings the rollups up to date: people's active hours are one of them."""
    from analytics import rollups

    rollups.refresh()


@task(cache_policy=NO_CACHE, persist_result=False)
def learn_channel(channel: str, now: datetime) -> dict[str, Any]:
    """Fits one channel and writes it; what was learnt, as plain values."""
    from analytics.load import reader
    from analytics.send_time_run import learn

    with reader() as connection:
        learnt = learn(connection, channel, now=now)
    fit, uplift = learnt.fit, learnt.uplift
    return {
        "channel": channel,
        "people": learnt.people,
        "active": learnt.active,
        "own_hours": learnt.own_hours,
        "strength": round(fit.strength, 1) if fit else None,
        "personalise": fit.personalise if fit else False,
        "population": [round(float(share), 4) for share in fit.rhythms.population] if fit else None,
        "rhythms": _rhythms(fit.rhythms) if fit else [],
        "uplift": uplift.sentence() if uplift else None,
    }


def _rhythms(rhythms: Any) -> list[dict[str, Any]]:
    shares = rhythms.shapes / rhythms.shapes.sum(axis=1, keepdims=True)
    order = sorted(range(len(rhythms.weights)), key=lambda number: -rhythms.weights[number])
    return [{"weight": float(rhythms.weights[number]), "curve": shares[number].tolist()} for number in order]


@task(cache_policy=NO_CACHE, persist_result=False)
def keep(found: Sequence[dict[str, Any]], now: datetime) -> None:
    """Keeps the day's report."""
    from analytics.store import replace_report
    from core.database import transaction

    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    with transaction() as connection:
        replace_report(
            connection, REPORT, day, day + timedelta(days=1), {each["channel"]: each for each in found}
        )


def show(found: Sequence[dict[str, Any]]) -> None:
    """A table of the channels, the rhythms as curves, and a verdict in words."""
    artifacts.table(
        "send-times", [_row(each) for each in found], about="What was learnt of each channel", empty=""
    )
    artifacts.pictures(
        "send-times-rhythms",
        {each["channel"]: _picture(each) for each in found if each["population"]},
        about="The rhythms of the population, by channel",
    )
    artifacts.verdict("send-times-verdict", verdict(found), about="Send times in words")


def _picture(each: dict[str, Any]) -> bytes:
    from analytics.plots import curves_plot

    curves = {"everybody": each["population"]}
    curves |= {f"{rhythm['weight']:.0%} of people": rhythm["curve"] for rhythm in each["rhythms"][:5]}
    return curves_plot(f"{each['channel']}: when people are there, local time", curves)


def _row(each: dict[str, Any]) -> dict[str, Any]:
    return {
        "channel": each["channel"], "people": each["people"], "active": each["active"],
        "own best hour": each["own_hours"], "strength (events)": each["strength"] or "–",
        "personalised": "yes" if each["personalise"] else "no", "uplift": each["uplift"] or "not measured yet",
    }  # fmt: skip


def verdict(found: Sequence[dict[str, Any]]) -> str:
    """What a person should know about the send times, in Markdown."""
    lines = ["## Send times\n"]
    for each in found:
        if each["population"] is None:
            lines.append(
                f"- **{each['channel']}**: {each['active']} people are active, too few to learn from."
            )
            continue
        best = max(
            range(24), key=lambda hour: sum(each["population"][(hour + step) % 24] for step in range(3))
        )
        lines.append(
            f"- **{each['channel']}**: most people are there from {best}:00 on. A person's own past outweighs everybody's"
            f" from {each['strength']:.0f} events on; {each['own_hours']:,} of {each['people']:,} have an hour of their own."
            f" {'' if each['personalise'] else '**Personalisation is off: its effect is not proven.** '}"
            f"{each['uplift'] or 'The uplift is not measured yet: no choice has matured.'}"
        )
    return "\n".join([*lines, f"\n[Engagement]({web('engagement')})"])
