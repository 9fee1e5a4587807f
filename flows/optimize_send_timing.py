"""optimize-send-timing (every 2 hours): when each person is there, and whether knowing it is worth anything.

active hours ─fit (a channel each)▶ rhythms ─write (a shard each)▶ curves ─publish▶ Postgres, Redis ─show▶ table, curves
send choices ─measure▶ uplift with its interval ─▶ personalisation on or off, and once a week a report of its own
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed
from pydantic import Field

from core.clock import utc_now
from core.vocabulary import Channel
from flows import artifacts
from flows.links import web
from flows.runner import fan_out

REPORT = "send_times"
Weeks = Annotated[int, Field(ge=1, le=26)]


@flow(name="optimize-send-timing", retries=1, retry_delay_seconds=60 * 60)
def optimize_send_timing(weeks: Weeks = 8) -> Any:
    """Learns every channel's send times as of now and writes them for the send path, and measures what that earns.

    Fits and shards go to the task runner of the settings: threads, or a Dask cluster.

    Args:
        weeks: the uplift is measured over the choices of so many weeks

    """
    now = utc_now()
    refresh()
    fits = fan_out(fit, [{"channel": str(channel), "now": now, "weeks": weeks} for channel in Channel])
    shards = [(each["channel"], shard) for each in fits if each["population"] for shard in split()]
    written = fan_out(write, [{"channel": channel, "shard": shard, "now": now} for channel, shard in shards])
    found = [with_people(each, shards, written) for each in fits]
    publish([each["channel"] for each in found if each["population"]])
    keep(found, now)
    show(found, weekly(now))
    names = ("people", "active", "strength", "personalise")
    return Completed(
        message=finding(found),
        data={each["channel"]: {name: each[name] for name in names} for each in found},
    )


@task(cache_policy=NO_CACHE, persist_result=False)
def refresh() -> None:
    """Brings the rollups up to date: people's active hours are one of them."""
    from analytics import rollups

    rollups.refresh()


@task(cache_policy=NO_CACHE, persist_result=False)
def fit(channel: str, now: datetime, weeks: int = 8) -> dict[str, Any]:
    """Fits one channel; what was learnt, as plain values."""
    from analytics.load import reader
    from analytics.send_time_run import fit_channel

    with reader() as connection:
        learnt = fit_channel(connection, channel, now=now, measured_over=timedelta(weeks=weeks))
    found, uplift = learnt.fit, learnt.uplift
    return {
        "channel": channel,
        "active": learnt.active,
        "strength": round(found.strength, 1) if found else None,
        "personalise": found.personalise if found else False,
        "population": [round(float(share), 4) for share in found.rhythms.population] if found else None,
        "rhythms": _rhythms(found.rhythms) if found else [],
        "uplift": uplift.sentence() if uplift else None,
    }


@task(cache_policy=NO_CACHE, persist_result=False)
def split() -> list[tuple[str, str]]:
    """All people in shards of about 50,000: ranges of the primary key, so that each is one index scan."""
    from analytics.engagement_load import shards
    from analytics.load import reader

    with reader() as connection:
        return list(shards(connection))


@task(cache_policy=NO_CACHE, persist_result=False, retries=2, retry_delay_seconds=5)
def write(channel: str, shard: tuple[str, str], now: datetime) -> tuple[int, int]:
    """One shard's curves and hours; (people, those with a best hour of their own)."""
    from analytics.load import reader
    from analytics.send_time_run import write_shard

    with reader() as connection:
        return write_shard(connection, channel, shard, now=now)


@task(cache_policy=NO_CACHE, persist_result=False)
def publish(channels: Sequence[str]) -> None:
    """Makes the new hours those of the send path."""
    from analytics.send_time_run import publish as make_current

    for channel in channels:
        make_current(channel)


def with_people(
    found: dict[str, Any], shards: Sequence[tuple[str, Any]], written: Sequence[tuple[int, int]]
) -> dict[str, Any]:
    """What was learnt of a channel, with the people that its shards held."""
    mine = [
        counts for (channel, _), counts in zip(shards, written, strict=True) if channel == found["channel"]
    ]
    return found | {"people": sum(each[0] for each in mine), "own_hours": sum(each[1] for each in mine)}


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


@task(cache_policy=NO_CACHE, persist_result=False)
def weekly(now: datetime) -> list[dict[str, Any]]:
    """Keeps the report on the last whole week's choices, once they have matured; the last 12 weeks, newest first."""
    from analytics.load import reader
    from analytics.uplift_weeks import keep_week, last_weeks
    from core.database import transaction

    with reader() as reading, transaction() as writing:
        keep_week(reading, writing, now=now)
        return last_weeks(writing)


def show(found: Sequence[dict[str, Any]], weeks: Sequence[dict[str, Any]] = ()) -> None:
    """A table of the channels, the rhythms as curves, the weeks' uplift, and a verdict in words."""
    artifacts.table(
        "send-times-uplift",
        [
            {name: row[name] for name in ("week", "channel", "sends", "persons", "uplift", "ess")}
            for row in weeks
        ],
        about="What personal send times earned above sending at once, week by week (points per send, 95 % interval)",
        empty="no week with a matured choice yet",
    )
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
    return "\n".join([*lines, f"\n[Send times]({web('send-times')})"])


def finding(found: Sequence[dict[str, Any]]) -> str:
    """The run in one sentence."""
    parts = []
    for each in found:
        if each["population"] is None:
            parts.append(f"{each['channel']}: {each['active']} active, too few to learn from")
            continue
        state = "personalised" if each["personalise"] else "not personalised"
        parts.append(
            f"{each['channel']}: {each['own_hours']:,} of {each['people']:,} people have an hour of their own,"
            f" learnt from {each['active']:,} active ones at strength {each['strength']:.0f}, {state}"
        )
    return f"{'; '.join(parts)}."
