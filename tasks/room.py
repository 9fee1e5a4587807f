"""Back-pressure: how much more each lane may hold in Redis. What finds no room waits in Postgres, which has plenty.

A bulk lane is filled only up to a mark, and not at all while Redis is short of memory; the critical lane is never
held back, it only stops being published *again* behind a long queue.
"""

import logging
import time

from core.redis import REDIS_AWAY, client
from core.settings import settings
from core.vocabulary import Lane

log = logging.getLogger(__name__)

CHUNKS_AHEAD = 40
"""How many queue messages a bulk lane may hold in Redis."""
CRITICAL_AHEAD = 2000
"""How many queue messages the critical lane may hold: behind so many, an id that is published again would only add to them."""
MOST_AT_ONCE = 5000
CRITICAL_CHUNK = 10
"""Critical alerts travel in small chunks: one slow call delays few others."""
MEMORY_MARK = 0.85
LOOK_AGAIN_SECONDS = 0.5

_seen: tuple[float, frozenset[str]] = (0.0, frozenset())


def chunk_size(lane: str) -> int:
    """How many notifications one queue message of `lane` carries."""
    return CRITICAL_CHUNK if lane == Lane.SMS_CRITICAL else settings().chunk_size


def room() -> dict[str, int]:
    """Lane → how many notifications may be published now; nothing without Redis."""
    broker = client(settings().broker_url)
    try:
        ahead = {Lane.SMS_CRITICAL: CRITICAL_AHEAD - int(broker.llen(Lane.SMS_CRITICAL))}
        if _memory_is_short(broker.info("memory")):
            log.warning("redis_memory_short")
        else:
            ahead |= {
                lane: CHUNKS_AHEAD - int(broker.llen(lane)) for lane in Lane if lane is not Lane.SMS_CRITICAL
            }
    except REDIS_AWAY:
        return {}
    return {str(lane): min(free * chunk_size(lane), MOST_AT_ONCE) for lane, free in ahead.items()}


def is_full(lane: str) -> bool:
    """True when a fresh message of `lane` should be left to the relay; looked at twice a second, never for alerts."""
    global _seen  # noqa: PLW0603  one look for all callers of this process
    if lane == Lane.SMS_CRITICAL:
        return False
    now = time.monotonic()
    if now >= _seen[0]:
        free = room()
        full = {str(each) for each in Lane if free.get(each, 0) <= 0} if free else set()
        _seen = (now + LOOK_AGAIN_SECONDS, frozenset(full))
    return lane in _seen[1]


def _memory_is_short(info: dict[str, int]) -> bool:
    limit = int(info.get("maxmemory", 0))
    return limit > 0 and int(info["used_memory"]) > MEMORY_MARK * limit
