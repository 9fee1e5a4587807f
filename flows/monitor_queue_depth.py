"""monitor-queue-depth (every 5 minutes): what waits in each lane, when it will be gone, and how many hands it needs.

broker ┐
       ├─look▶ samples ─adjust▶ pools ─keep▶ history, alarms ─tell▶ operators ─show▶ table, picture, verdict
Postgres ┘
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from core.clock import utc_now
from flows import artifacts
from flows.links import web

ALARM = "queue_depth"
WATERMARK_ALARM = "rollups_behind"
WATERMARK_SECONDS = 3 * 60 * 60
FIRST_LOOK = timedelta(minutes=5)
CURRENT = "mingus:analytics:lanes"
HOLD_SECONDS = 15 * 60


@flow(name="monitor-queue-depth", retries=1, retry_delay_seconds=5 * 60)
def monitor_queue_depth(scale: bool = True) -> Any:
    """A sample of every lane; with `scale`, pools that can grow get the concurrency that Little's law wants.

    Args:
        scale: resize the pools that can be resized

    """
    now = utc_now()
    samples = look(now)
    changes = adjust({sample.lane: sample.wanted for sample in samples}) if scale else {}
    alarms = keep(samples, now)
    told = tell(now)
    show(samples, changes, alarms, now)
    found = {
        "at": now.isoformat(),
        "depth": {str(sample.lane): sample.depth for sample in samples},
        "wanted": {str(sample.lane): sample.wanted for sample in samples},
        "resized": changes,
        "alarms": alarms,
        "told": told,
    }
    return Completed(message=finding(samples, changes, alarms), data=found)


@task(cache_policy=NO_CACHE, persist_result=False)
def look(now: datetime) -> list[Any]:
    """One `lanes.Sample` per lane, from Postgres, the broker and the workers."""
    from analytics.lanes import assess, read_lanes, readings
    from core.database import transaction
    from core.vocabulary import Lane
    from flows import broker

    in_queue, held, hands = broker.queued(), broker.unacknowledged(), broker.concurrency(broker.pools())
    with transaction() as connection:
        past = readings(connection, now=now)
        since = max((each[-1].at for each in past.values() if each), default=now - FIRST_LOOK)
        waiting = read_lanes(connection, since=since, now=now)
    return [
        assess(
            lane, waiting[lane], past[lane], now=now, queued=in_queue[lane], unacknowledged=held[lane],
            concurrency=hands[lane],
        )
        for lane in Lane
    ]  # fmt: skip


@task(cache_policy=NO_CACHE, persist_result=False)
def adjust(wanted: Mapping[Any, int]) -> dict[str, int]:
    """Resizes the pools that can be resized; worker → change."""
    from flows import broker

    return broker.resize(broker.pools(), wanted)


@task(cache_policy=NO_CACHE, persist_result=False)
def keep(samples: Sequence[Any], now: datetime) -> list[str]:
    """Adds to the history, publishes the current values, raises and ends alarms; their sentences."""
    from analytics import rollups
    from analytics.alarm_store import Raised, settle_alarms
    from analytics.lanes import keep_samples
    from analytics.store import publish_current
    from core.database import transaction

    with transaction() as connection:
        keep_samples(connection, samples)
        late = [
            Raised(str(s.lane), f"{s.lane}: {'; '.join(s.exceeded())}.", {"depth": s.depth})
            for s in samples
            if s.exceeded()
        ]
        settle_alarms(connection, ALARM, late, now=now)
        behind = rollups.lag_seconds(connection)
        stale = [
            Raised(
                rollups.NAME, f"The rollups are {behind / 3600:.1f} h behind the events.", {"seconds": behind}
            )
        ]
        stale = stale if behind > WATERMARK_SECONDS else []
        settle_alarms(connection, WATERMARK_ALARM, stale, now=now)
    publish_current(
        CURRENT,
        {
            str(s.lane): {"depth": s.depth, "wanted": s.wanted, "concurrency": s.concurrency, "at": now}
            for s in samples
        },
        hold_seconds=HOLD_SECONDS,
    )
    return [each.sentence for each in (*late, *stale)]


@task(cache_policy=NO_CACHE, persist_result=False)
def tell(now: datetime) -> dict[str, int]:
    """Tells operators and the webhook of every open alarm, whichever flow raised it, once."""
    from flows import operations

    told = operations.tell(operations.fresh_alarms(now), now=now)
    for each in told.failed:
        get_run_logger().error("alarm not told: %s", each)
    return {"messages": told.messages, "posted": told.posted}


def show(samples: Sequence[Any], changes: Mapping[str, int], alarms: Sequence[str], now: datetime) -> None:
    """A table of the lanes, a verdict, and the day's depths as a picture."""
    artifacts.table(
        "queue-depth", [_row(each) for each in samples], about=f"The lanes at {now:%H:%M} UTC", empty=""
    )
    artifacts.verdict("queue-verdict", verdict(samples, changes, alarms), about="Queues in words")
    artifacts.pictures("queue-history", {"The last 24 hours": _picture(now)}, about="What waited when")


def _picture(now: datetime) -> bytes:
    from analytics import load
    from analytics.plots import depth_plot

    with load.reader() as connection:
        return depth_plot(load.queue_history(connection, now - timedelta(hours=24)))


def verdict(samples: Sequence[Any], changes: Mapping[str, int], alarms: Sequence[str]) -> str:
    """What a person should know about the lanes, in Markdown."""
    depth = sum(each.depth for each in samples)
    later = sum(each.later for each in samples)
    lines = [
        "## Queues\n",
        *(f"**ALARM** {sentence}\n" for sentence in alarms),
        f"**{depth:,} notifications should be gone by now**, {later:,} wait for their time.",
        "",
        *(
            f"- {each.lane}: {_forecast(each)}, wants {each.wanted} hands and has {each.concurrency}"
            for each in samples
        ),
        "",
        *(f"- {worker}: {change:+d}" for worker, change in changes.items()),
        f"\n[Queues]({web('queues')})",
    ]
    return "\n".join(lines)


def finding(samples: Sequence[Any], changes: Mapping[str, int], alarms: Sequence[str]) -> str:
    """The run in one sentence."""
    depth, later = sum(each.depth for each in samples), sum(each.later for each in samples)
    longest = max(samples, key=lambda each: each.oldest_seconds)
    oldest = f", the oldest for {longest.oldest_seconds:.0f} s in {longest.lane}" if depth else ""
    hands = ", ".join(
        f"{each.lane} {each.concurrency}→{each.wanted}" for each in samples if each.wanted != each.concurrency
    )
    return (
        f"{depth:,} due{oldest}, {later:,} for later;"
        f" hands: {hands or 'as wanted'}{f' ({len(changes)} pools resized)' if changes else ''};"
        f" {f'{len(alarms)} alarms: {alarms[0]}' if alarms else 'no lane breaks its limits.'}"
    )


def _forecast(each: Any) -> str:
    if each.depth == 0:
        return "empty"
    if each.drain_seconds is None:
        return f"{each.depth:,} waiting, no forecast"
    return f"{each.depth:,} waiting, gone in {each.drain_seconds:,.0f} s"


def _row(each: Any) -> dict[str, Any]:
    def rate(value: float | None) -> str:
        return "–" if value is None else f"{60 * value:.1f} / min"

    return {
        "lane": str(each.lane),
        "due": each.due,
        "claimed": each.claimed,
        "oldest": f"{each.oldest_seconds:.0f} s",
        "later": each.later,
        "queue messages": each.queued,
        "unacknowledged": each.unacknowledged,
        "arrivals": rate(each.arrivals_per_second),
        "services": rate(each.services_per_second),
        "gone in": "–" if each.drain_seconds is None else f"{each.drain_seconds:.0f} s",
        "hands": each.concurrency,
        "wanted": each.wanted,
        "state": "; ".join(each.exceeded()) or "well",
    }
