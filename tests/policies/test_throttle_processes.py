"""The limit holds across processes: eight of them, one Redis, and what Redis itself saw."""

import multiprocessing
import threading
import time

import pytest
import redis as redis_py

from delivery.throttle import KEY_PREFIX, Bucket, TokenRequest, spend
from tests.policies.test_throttle import most_in_a_window

SHARED = Bucket(key="shared", limit=40, seconds=1.0)


def _hammer(number: int, seconds: float, results) -> None:
    """One worker: five newcomers at a time, and everybody who was told to come back."""
    end = time.time() + seconds
    granted, waiting, serial = 0, [], 0
    while time.time() < end:
        now = time.time()
        holders = [f"{number}:{serial + n}" for n in range(5)] + [
            holder for due, holder in waiting if due <= now
        ]
        waiting = [(due, holder) for due, holder in waiting if due > now]
        serial += 5
        answers = spend([TokenRequest(holder=holder, tokens=[(SHARED, 1)], before=1.5) for holder in holders])
        for holder, answer in zip(holders, answers, strict=True):
            if answer.wait == 0:
                granted += 1
            elif answer.wait is not None:
                waiting.append((time.time() + answer.wait, holder))
        time.sleep(0.002)
    results.put(granted)


def _spendings(url: str, ready: threading.Event, found: list[float]) -> None:
    """What MONITOR shows of the script's own writes: the exact instant of every token spent, by Redis's clock."""
    with redis_py.Redis.from_url(url, socket_timeout=60) as watcher, watcher.monitor() as monitor:
        ready.set()
        for line in monitor.listen():
            if line["command"] == "ECHO over":
                return
            if line["command"].startswith(f"RPUSH {KEY_PREFIX}{SHARED.key}:grants "):
                found.append(int(line["command"].rsplit(" ", 1)[1]) / 1e6)


@pytest.mark.slow
def test_eight_processes_at_once_never_exceed_the_limit_in_any_window(redis, redis_url):
    spendings: list[float] = []
    ready = threading.Event()
    watching = threading.Thread(target=_spendings, args=(redis_url, ready, spendings))
    watching.start()
    ready.wait(5)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_hammer, args=(number, 4.0, results)) for number in range(8)]
    for worker in workers:
        worker.start()
    granted = sum(results.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    redis.echo("over")
    watching.join(10)
    assert len(spendings) == granted, "every token that was granted was seen"
    assert most_in_a_window(spendings, SHARED.seconds - 2e-6) <= SHARED.limit
    assert granted > 3 * SHARED.limit, "the limit is used up, not just kept"
