"""The relay: every second, what is due in Postgres goes to its lane in chunks; what was lost is brought back.

Back-pressure: a bulk lane is filled only up to a mark and not at all while Redis is short of memory; the critical
lane is never held back.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from uuid import UUID

from core.crash_points import crash_point
from core.redis import REDIS_AWAY, client
from core.settings import settings
from core.stopping import is_stopping
from core.vocabulary import Lane
from delivery import recovery, unknowns
from delivery.recovery import Due
from tasks.app import RELAY_SECONDS, app
from tasks.base import BROKER_AWAY
from tasks.chunk import deliver_chunk
from tasks.single_flight import single_flight

log = logging.getLogger(__name__)

CHUNKS_AHEAD = 40
"""How many chunks a bulk lane may hold in Redis."""
CRITICAL_AHEAD = 2000
"""How many messages the critical lane may hold: behind so many, an id that is published again would only add to them."""
MOST_AT_ONCE = 5000
CRITICAL_CHUNK = 10
"""Critical alerts travel in small chunks: one slow call delays few others."""
MEMORY_MARK = 0.85


@app.task(name="tasks.publish_due")
@single_flight("publish_due")
def publish_due() -> None:
    """Publish what is due, for as long as there is room and this second lasts."""
    until = time.monotonic() + RELAY_SECONDS
    while time.monotonic() < until and not is_stopping():
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
    broker = client(settings().broker_url)
    try:
        room = {Lane.SMS_CRITICAL: (CRITICAL_AHEAD - int(broker.llen(Lane.SMS_CRITICAL))) * CRITICAL_CHUNK}
        if _memory_is_short(broker.info("memory")):
            log.warning("redis_memory_short")
        else:
            room |= {
                lane: (CHUNKS_AHEAD - int(broker.llen(lane))) * chunk
                for lane in Lane
                if lane is not Lane.SMS_CRITICAL
            }
    except REDIS_AWAY:
        return {}
    return {str(lane): min(size, MOST_AT_ONCE) for lane, size in room.items()}


def _memory_is_short(info: dict[str, int]) -> bool:
    limit = int(info.get("maxmemory", 0))
    return limit > 0 and int(info["used_memory"]) > MEMORY_MARK * limit


def _publish(lane: str, found: Sequence[Due]) -> int:
    """How many were published; what the broker did not take is due again at once."""
    size = CRITICAL_CHUNK if lane == Lane.SMS_CRITICAL else settings().chunk_size
    chunks = list(_chunks(found, size))
    done = 0
    with app.producer_or_acquire() as producer:
        for number, chunk in enumerate(chunks):
            crash_point("before_publish")
            try:
                deliver_chunk.apply_async(
                    args=([str(each) for each in chunk],), queue=lane, producer=producer
                )
            except BROKER_AWAY:
                log.warning("broker_away", extra={"lane": lane, "chunks_left": len(chunks) - number})
                recovery.unpublish([each for left in chunks[number:] for each in left])
                return 0
            crash_point("after_publish")
            done += len(chunk)
    return done


def _chunks(found: Sequence[Due], size: int) -> Iterator[list[UUID]]:
    yield from ([each.id] for each in found if each.is_suspect)
    trusted = [each.id for each in found if not each.is_suspect]
    for start in range(0, len(trusted), size):
        yield trusted[start : start + size]
