"""Many calls of one provider at a time, through a small pool of threads that lives as long as the process."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class SideBySide:
    """At most `width` calls at once; a single call runs in the caller's thread and starts none."""

    def __init__(self, name: str, width: int) -> None:
        self._name = name
        self._width = width
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    def map(self, call: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """`call` of each, in the same order."""
        if len(items) < 2:
            return [call(item) for item in items]
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._width, thread_name_prefix=self._name)
        return list(self._threads.map(call, items))
