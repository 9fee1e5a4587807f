"""Many calls of one provider at a time, through a small pool of threads that lives as long as the process."""

import threading
from collections import deque
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
        """`call` of each, in the same order.

        Each thread takes the next item that nobody has taken: a future per item would cost as much as the SDK.
        """
        if len(items) < 2:
            return [call(item) for item in items]
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._width, thread_name_prefix=self._name)
        waiting = deque(enumerate(items))
        results: dict[int, Result] = {}

        def work() -> None:
            while waiting:
                try:
                    position, item = waiting.popleft()
                except IndexError:  # another thread was quicker
                    return
                results[position] = call(item)

        workers = [self._threads.submit(work) for _ in range(min(self._width, len(items)))]
        try:
            for worker in workers:
                worker.result()
        finally:  # a time limit or a bug here: what was not begun is not begun any more
            waiting.clear()
        return [results[position] for position in range(len(items))]
