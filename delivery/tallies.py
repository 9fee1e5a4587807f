"""Counts that may reach Redis a little later: kept in this process and told together, at most a second old.

For what is only a share of something (how many calls went well, how many were first tries), a round trip per message
would cost more than it tells. Nothing that decides about safety is counted here.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping

TOLD_AFTER_SECONDS = 1.0
TOLD_FROM = 1000


class Tally:
    """Numbers by name that wait to be told; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: Counter[str] = Counter()
        self._told_at = 0.0

    def add(self, counts: Mapping[str, int], *, now_at_once: bool = False) -> dict[str, int]:
        """What is to be told now, these counts included; empty while it may wait."""
        with self._lock:
            self._kept.update(counts)
            waited = time.monotonic() - self._told_at
            if not now_at_once and waited < TOLD_AFTER_SECONDS and self._kept.total() < TOLD_FROM:
                return {}
            told = dict(self._kept)
            self._kept.clear()
            self._told_at = time.monotonic()
            return told

    def clear(self) -> None:
        """Forget what waits (tests, and after a fork)."""
        with self._lock:
            self._kept.clear()
            self._told_at = 0.0
