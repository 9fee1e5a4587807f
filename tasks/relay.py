"""The relay: every second, what is due in Postgres goes to its lane in chunks; what was lost is brought back.

Back-pressure: a bulk lane is filled only up to a mark and not at all while Redis is short of memory; the critical
lane is never held back.
"""

import functools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from core.database import engine
from core.redis import REDIS_AWAY, client
from core.settings import settings
from core.vocabulary import Lane
from delivery import recovery, unknowns
from delivery.recovery import Due
from tasks.app import RELAY_SECONDS, app
from tasks.base import BROKER_AWAY
from tasks.chunk import deliver_chunk

log = logging.getLogger(__name__)

CHUNKS_AHEAD = 40
"""How many chunks a bulk lane may hold in Redis."""
CRITICAL_AT_ONCE = 5000
CRITICAL_CHUNK = 10
"""Critical alerts travel in small chunks: one slow call delays few others."""
MEMORY_MARK = 0.85


def single_flight(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Let only one process in the whole cluster run the function at a time; the others return at once."""

    def decorate(function: Callable[[], None]) -> Callable[[], None]:
        @functools.wraps(function)
        def alone() -> None:
            with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                key = f"mingus.{name}"
                if not connection.exec_driver_sql(
                    "SELECT pg_try_advisory_lock(hashtext(%s))", (key,)
                ).scalar():
                    return
                try:
                    function()
                finally:
                    connection.exec_driver_sql("SELECT pg_advisory_unlock(hashtext(%s))", (key,))

        return alone

    return decorate


@app.task(name="tasks.publish_due")
@single_flight("publish_due")
def publish_due() -> None:
    """Publish what is due, for as long as there is room and this second lasts."""
    until = time.monotonic() + RELAY_SECONDS
    while time.monotonic() < until:
        published = sum(_publish(lane, found) for lane, found in recovery.due(_room()).items())
        if published == 0:
            return


@app.task(name="tasks.recover_lapsed")
@single_flight("recover_lapsed")
def recover_lapsed() -> None:
    """Bring back what was claimed by workers that are gone."""
    recovery.recover_lapsed()


@app.task(name="tasks.resolve_unknown")
@single_flight("resolve_unknown")
def resolve_unknown() -> None:
    """Find out what became of messages whose provider never answered."""
    unknowns.resolve_unknown()


def _room() -> dict[str, int]:
    """Lane → how many notifications may be published now."""
    chunk = settings().chunk_size
    room = {Lane.SMS_CRITICAL: CRITICAL_AT_ONCE}
    broker = client(settings().broker_url)
    try:
        if _memory_is_short(broker.info("memory")):
            log.warning("redis_memory_short")
            return {str(lane): size for lane, size in room.items()}
        for lane in Lane:
            if lane not in room:
                room[lane] = (CHUNKS_AHEAD - int(broker.llen(lane))) * chunk
    except REDIS_AWAY:
        return {}
    return {str(lane): min(size, CRITICAL_AT_ONCE) for lane, size in room.items()}


def _memory_is_short(info: dict[str, int]) -> bool:
    limit = int(info.get("maxmemory", 0))
    return limit > 0 and int(info["used_memory"]) > MEMORY_MARK * limit


def _publish(lane: str, found: Sequence[Due]) -> int:
    size = CRITICAL_CHUNK if lane == Lane.SMS_CRITICAL else settings().chunk_size
    with app.producer_or_acquire() as producer:
        for chunk in _chunks(found, size):
            try:
                deliver_chunk.apply_async(
                    args=([str(each) for each in chunk],), queue=lane, producer=producer
                )
            except BROKER_AWAY:
                recovery.unpublish(chunk)
                return 0
    return len(found)


def _chunks(found: Sequence[Due], size: int) -> Iterator[list[UUID]]:
    yield from ([each.id] for each in found if each.is_suspect)
    trusted = [each.id for each in found if not each.is_suspect]
    for start in range(0, len(trusted), size):
        yield trusted[start : start + size]
