"""P3, P4 and P5: live alerts one by one, alone and while bulk drains, and what accepting costs."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.speed import bulk
from benchmarks.speed.accounting import cpu_of
from benchmarks.speed.bulk import PEOPLE, REMINDER, REPORT, accept_bulk, heartbeats, node
from benchmarks.speed.figures import Figure, percentile
from benchmarks.speed.population import fresh_database, user_id
from benchmarks.speed.stage import Stage

ALERTS = int(os.environ.get("BENCH_ALERTS", "2000"))
BACKLOG = int(os.environ.get("BENCH_BACKLOG", "200000"))
NAIVE_BACKLOG = int(os.environ.get("BENCH_NAIVE_BACKLOG", "20000"))
PROBES = int(os.environ.get("BENCH_PROBES", "400"))
PROBES_PER_SECOND = 20.0
ACCEPTED_ONE_BY_ONE = 1500
ACCEPTED_TOGETHER = 40_000
CRITICAL = "--pool threads -c 16"
ONE_PER_LANE = "--pool solo"
"""Two lanes of bulk, a worker each: as many as there are cores."""

Send = Callable[[int], object]


def alert(mark: int) -> dict[str, Any]:
    return {
        "template": "Critical: {message}",
        "message": f"Overdraft detected, mark {mark}",
        "urgency": "high",
    }


def sustained(stage: Stage) -> list[Figure]:
    from tasks.sms import send_critical_financial_alert

    fresh_database(stage, "bench", PEOPLE)
    stage.clear()
    stage.sink_reset(bulk.LATENCY_MS)
    with stage.workers(node("critical", "sms_critical", CRITICAL)) as workers:
        ours = _burst(
            stage,
            workers[0].process.pid,
            lambda mark: send_critical_financial_alert.delay(
                user_id=user_id(mark % PEOPLE), alert_data=alert(mark)
            ),
        )
    bulk.check(stage, ALERTS + 50)
    with _naive_workers(stage) as (pid, send):
        plain = _burst(stage, pid, send)
    figures = []
    for what, unit, mine, theirs in (
        ("live alerts, sustained", "messages/s", ours.rate, plain.rate),
        (
            "live alerts per CPU-second of caller and worker",
            "messages/CPU-s",
            1e6 / ours.cpu_us,
            1e6 / plain.cpu_us,
        ),
    ):
        by_cpu = unit == "messages/CPU-s"
        figures.append(
            Figure(id="P3", what=what, value=mine, unit=unit, naive=theirs, ratio=mine / theirs,
                   target="≥ 2 × naive" if by_cpu else "", met=mine >= 2 * theirs if by_cpu else None)
        )  # fmt: skip
    figures += [
        Figure(id="P3", what=f"a live alert, CPU of {part}", value=mine, unit="µs/message", naive=theirs)
        for part, mine, theirs in (
            ("the caller (.delay)", ours.caller_us, plain.caller_us),
            ("the worker", ours.worker_us, plain.worker_us),
            ("postgres", ours.postgres_us, plain.postgres_us),
        )
    ]
    return figures


@dataclass(frozen=True, slots=True)
class Burst:
    rate: float
    caller_us: float
    worker_us: float
    postgres_us: float

    @property
    def cpu_us(self) -> float:
        return self.caller_us + self.worker_us


def _burst(stage: Stage, worker: int, send: Send) -> Burst:
    for mark in range(50):
        send(mark)
    bulk.await_messages(stage, 50)
    before, cpu, servers = time.thread_time(), cpu_of([worker]), stage.server_cpu()
    began = time.monotonic()
    for mark in range(ALERTS):
        send(mark)
    caller = time.thread_time() - before
    bulk.await_messages(stage, 50 + ALERTS)
    seconds = time.monotonic() - began
    time.sleep(0.5)  # the last settlements
    per = 1e6 / ALERTS
    return Burst(
        rate=ALERTS / seconds,
        caller_us=caller * per,
        worker_us=(cpu_of([worker]) - cpu) * per,
        postgres_us=(stage.server_cpu()["postgres"] - servers["postgres"]) * per,
    )


def beside_bulk(stage: Stage) -> list[Figure]:
    from tasks.sms import send_critical_financial_alert

    def send(mark: int) -> object:
        return send_critical_financial_alert.delay(user_id=user_id(mark % PEOPLE), alert_data=alert(mark))

    fresh_database(stage, "bench", PEOPLE)
    stage.clear()
    accept_bulk("monthly_report", REPORT, BACKLOG * 3 // 4, relay_after=3600)
    accept_bulk("payment_reminder", REMINDER, BACKLOG // 4, relay_after=3600)
    stage.sql("VACUUM ANALYZE")
    workers = (
        node("critical", "sms_critical", CRITICAL),
        node("email", "email_reports", ONE_PER_LANE),
        node("daily", "sms_daily", ONE_PER_LANE),
        node("housekeeping", "housekeeping", "--pool threads -c 2"),
    )
    with stage.workers(*workers):
        idle = _latencies(stage, send, PROBES // 2)
        stage.sql("UPDATE notifications SET publish_after = now() WHERE state = 'accepted'")
        with heartbeats():
            while stage.sink_report()["messages"] < PROBES // 2 + 2000:
                time.sleep(0.05)
            seen, at = stage.sink_report()["messages"], time.monotonic()
            busy = _latencies(stage, send, PROBES)
            rate = (stage.sink_report()["messages"] - seen) / (time.monotonic() - at)
            left = stage.sql("SELECT count(*) FROM notifications WHERE state = 'accepted'")[0][0]
    if not left:
        raise RuntimeError("the backlog was gone before the last alert: raise BENCH_BACKLOG")
    plain = _naive_beside_bulk(stage)
    p50, p99, idle99 = percentile(busy, 0.5), percentile(busy, 0.99), percentile(idle, 0.99)
    return [
        Figure(id="P4", what="a live alert reaches the provider while bulk drains, p50", value=p50 * 1e3, unit="ms",
               naive=percentile(plain, 0.5) * 1e3, ratio=percentile(plain, 0.5) / p50, target="< 25 ms",
               met=p50 < 0.025),
        Figure(id="P4", what="a live alert reaches the provider while bulk drains, p99", value=p99 * 1e3, unit="ms",
               naive=percentile(plain, 0.99) * 1e3, ratio=percentile(plain, 0.99) / p99, target="< 150 ms",
               met=p99 < 0.150),
        Figure(id="P4", what="… p99 as a multiple of its idle value", value=p99 / idle99, unit="×", target="≤ 3 ×",
               met=p99 <= 3 * idle99),
        Figure(id="P4", what="a live alert reaches the provider, nothing else to do, p50", value=percentile(idle, 0.5) * 1e3,
               unit="ms"),
        Figure(id="P4", what="a live alert reaches the provider, nothing else to do, p99", value=idle99 * 1e3, unit="ms"),
        Figure(id="P4", what="bulk beside it", value=rate, unit="messages/s"),
    ]  # fmt: skip


def _latencies(stage: Stage, send: Send, count: int, *, patience: float = 30.0) -> list[float]:
    """Seconds from the call of `.delay()` to the sink, at a steady rate with jitter; what never came counts as patience."""
    first = random.randrange(10**6, 10**9)
    stage_marks: dict[int, float] = {}
    for number in range(count):
        stage_marks[first + number] = time.monotonic()
        send(first + number)
        rest = stage_marks[first + number] + random.uniform(0.5, 1.5) / PROBES_PER_SECOND - time.monotonic()
        time.sleep(max(0.0, rest))
    until = time.monotonic() + patience
    while True:
        arrived = {int(mark): at for mark, at in stage.sink_report()["marks"].items()}
        if stage_marks.keys() <= arrived.keys() or time.monotonic() > until:
            return [arrived.get(mark, at + patience) - at for mark, at in stage_marks.items()]
        time.sleep(0.1)


def _naive_beside_bulk(stage: Stage) -> list[float]:
    """The plain design has one queue: an alert waits behind all that was published before it."""
    with _naive_workers(stage, asleep=True) as (pid, send):
        for number in range(NAIVE_BACKLOG):
            send(number)
        os.kill(pid, 18)
        return _latencies(stage, send, 60, patience=20.0)


@contextmanager
def _naive_workers(stage: Stage, *, asleep: bool = False) -> Iterator[tuple[int, Send]]:
    from benchmarks import naive

    stage.clear()
    bulk.prepare_naive(stage)
    stage.sink_reset(bulk.LATENCY_MS)
    command = ("-A", "benchmarks.naive", "worker", "-n", "naive@%h", "-Q", "naive", "-c", "2", "-l", "INFO")
    with stage.workers(("naive", command)) as workers:
        pid = workers[0].process.pid
        if asleep:
            os.kill(pid, 19)
        yield pid, lambda mark: naive.send_sms.delay(user_id(mark % PEOPLE), alert(mark))


def accepting(stage: Stage) -> list[Figure]:
    from delivery.intake import Request, accept

    fresh_database(stage, "bench", PEOPLE)
    stage.clear()
    single = []
    for number in range(ACCEPTED_ONE_BY_ONE + 50):
        began = time.monotonic()
        accept(
            Request(
                user_id=user_id(number % PEOPLE), message_type="critical_financial", payload=alert(number)
            )
        )
        if number >= 50:
            single.append(time.monotonic() - began)
    cpu = time.thread_time()
    seconds = accept_bulk("payment_reminder", REMINDER, ACCEPTED_TOGETHER)
    cpu = time.thread_time() - cpu
    rate, p99 = ACCEPTED_TOGETHER / seconds, percentile(single, 0.99)
    return [
        Figure(id="P5", what="accept one, p99", value=p99 * 1e3, unit="ms", target="< 10 ms", met=p99 < 0.010),
        Figure(id="P5", what="accept one, p50", value=percentile(single, 0.5) * 1e3, unit="ms"),
        Figure(id="P5", what="accept_many, one process", value=rate, unit="rows/s", target="≥ 20,000 rows/s",
               met=rate >= 20_000),
        Figure(id="P5", what="accept_many, CPU in our process", value=cpu / ACCEPTED_TOGETHER * 1e6, unit="µs/row"),
    ]  # fmt: skip
