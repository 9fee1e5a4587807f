"""Until when a message may leave: checked at the last moment, right before its first byte is written.

A worker that was paused past its lease must not send what another may hold by now; one that is stopping begins
nothing new. Reading calls (lookup, search) are not gated.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from core.stopping import is_stopping


class _Gate(threading.local):
    until: float | None = None


_gate = _Gate()


@contextmanager
def open_until(deadline: float) -> Iterator[None]:
    """Let calls of this thread leave until `deadline` (time.monotonic())."""
    _gate.until = deadline
    try:
        yield
    finally:
        _gate.until = None


def is_closed() -> bool:
    """True when the present call of this thread may not leave any more."""
    return _gate.until is not None and (time.monotonic() > _gate.until or is_stopping())
