"""Counting what webhooks brought, without letting a flood of forgeries reach Redis or the log line by line."""

import asyncio
import logging
from collections import Counter

from core.redis import REDIS_AWAY, client
from core.vocabulary import EventKind

log = logging.getLogger(__name__)

KEY = "mingus:callbacks"
"""Redis hash: `provider:what` → how many, over all processes."""
EVERY_SECONDS = 1.0


class Tallies:
    """Counts in memory, added to Redis and told in one line of the log per second; no personal data in either.

    The line is a warning when something was refused: forged, invalid, too large, too slow, hung up, or not taken.
    """

    def __init__(self) -> None:
        self._fresh: Counter[str] = Counter()

    def count(self, provider: str, what: str, number: int = 1) -> None:
        """Count `number` more of `what`."""
        self._fresh[f"{provider}:{what}"] += number

    async def run(self) -> None:
        """Add up for as long as the app lives."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await asyncio.to_thread(self.flush)

    def flush(self) -> None:
        """Bring what was counted to Redis; what Redis can't take now is kept for the next time."""
        counted, self._fresh = self._fresh, Counter()
        if not counted:
            return
        level = logging.INFO if all(_is_event(field) for field in counted) else logging.WARNING
        log.log(level, "callbacks_counted", extra={"counts": dict(counted)})
        try:
            pipeline = client().pipeline(transaction=False)
            for field, number in counted.items():
                pipeline.hincrby(KEY, field, number)
            pipeline.execute()
        except REDIS_AWAY:
            self._fresh.update(counted)


def _is_event(field: str) -> bool:
    return field.partition(":")[2] in set(EventKind)


def totals() -> dict[tuple[str, str], int]:
    """(provider, what) → how many since Redis began; empty while Redis is away."""
    try:
        found = client().hgetall(KEY)
    except REDIS_AWAY:
        return {}
    totals: dict[tuple[str, str], int] = {}
    for field, number in found.items():
        provider, _, what = (field.decode() if isinstance(field, bytes) else field).partition(":")
        totals[provider, what] = int(number)
    return totals
