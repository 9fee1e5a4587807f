"""Whether this process has been asked to stop: what is under way is finished, nothing new is begun."""

import os
import threading

_asked = threading.Event()


def stop_soon() -> None:
    """Begin nothing new from now on: no claim, no call to a provider."""
    _asked.set()


def is_stopping() -> bool:
    """True once `stop_soon` was called in this process."""
    return _asked.is_set()


def carry_on() -> None:
    """Forget the request (after a fork, and between tests)."""
    _asked.clear()


os.register_at_fork(after_in_child=carry_on)
