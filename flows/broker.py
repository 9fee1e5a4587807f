"""The broker and the workers as the monitor sees them: messages per lane, pool sizes, and the knob that changes them."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.redis import client
from core.settings import settings
from core.vocabulary import Lane

log = logging.getLogger(__name__)

# kombu's Redis transport: a list per queue and priority step
PRIORITY_STEPS = (0, 3, 6, 9)
SEPARATOR = "\x06\x16"
GROWABLE = "prefork"
"""The pool whose size Celery can change and tell while it works; threads keep theirs, gevent's doesn't tell."""
ANSWER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WorkerPool:
    """One worker: its lanes, how many notifications or chunks it works on at a time, and whether that can change."""

    name: str
    lanes: frozenset[Lane]
    size: int
    growable: bool


def queued(lanes: Collection[Lane] = tuple(Lane)) -> dict[Lane, int]:
    """Messages in each lane's queue; RedisError when the broker is away."""
    with client(settings().broker_url).pipeline(transaction=False) as pipe:
        for lane in lanes:
            for step in PRIORITY_STEPS:
                pipe.llen(f"{lane}{SEPARATOR}{step}" if step else str(lane))
        lengths: Sequence[int] = pipe.execute()
    steps = len(PRIORITY_STEPS)
    return {lane: sum(lengths[number * steps : (number + 1) * steps]) for number, lane in enumerate(lanes)}


def unacknowledged() -> Counter[Lane]:
    """Messages that workers have taken and not begun, by lane, as the workers themselves tell within a second.

    What they have begun is claimed, and counted in PostgreSQL.
    """
    from tasks.app import app

    found: Counter[Lane] = Counter()
    taken: Mapping[str, Any] = app.control.inspect(timeout=ANSWER_SECONDS).reserved() or {}
    for request in (each for requests in taken.values() for each in requests):
        if (key := request["delivery_info"].get("routing_key")) in set(Lane):
            found[Lane(key)] += 1
    return found


def pools() -> list[WorkerPool]:
    """All workers that answer within a second."""
    from tasks.app import app

    inspect = app.control.inspect(timeout=ANSWER_SECONDS)
    sizes: Mapping[str, Any] = inspect.stats() or {}
    queues: Mapping[str, Any] = inspect.active_queues() or {}
    return [
        WorkerPool(
            name=name,
            lanes=frozenset(
                Lane(queue["name"]) for queue in queues.get(name, ()) if queue["name"] in set(Lane)
            ),
            size=len(stats["pool"].get("processes", ())) or int(stats["pool"].get("max-concurrency") or 1),
            growable=GROWABLE in stats["pool"].get("implementation", ""),
        )
        for name, stats in sorted(sizes.items())
    ]


def concurrency(found: Collection[WorkerPool]) -> dict[Lane, int]:
    """How many hands each lane has; a worker of several lanes counts for each of them."""
    return {lane: sum(pool.size for pool in found if lane in pool.lanes) for lane in Lane}


def resize(found: Collection[WorkerPool], wanted: Mapping[Lane, int]) -> dict[str, int]:
    """Asks growable pools for the concurrency that their lanes want, evenly over the workers of a lane.

    Returns worker → change; what can't grow is left to whoever starts workers (they read the same numbers).
    """
    from tasks.app import app

    changes: dict[str, int] = {}
    for pool in found:
        if not pool.growable or not pool.lanes:
            continue
        target = max(-(-wanted[lane] // sum(lane in other.lanes for other in found)) for lane in pool.lanes)
        change = target - pool.size
        if change:
            order = app.control.pool_grow if change > 0 else app.control.pool_shrink
            order(n=abs(change), destination=[pool.name], reply=True, timeout=ANSWER_SECONDS)
            changes[pool.name] = change
            log.info("pool_resized", extra={"worker": pool.name, "change": change, "size": target})
    return changes
