"""P1 and P2: bulk through Celery workers, ours with all its guarantees beside the plain design."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.speed.accounting import cpu_of, peak_mb_of
from benchmarks.speed.figures import Figure
from benchmarks.speed.population import fresh_database, user_id
from benchmarks.speed.stage import Stage

PEOPLE = int(os.environ.get("BENCH_PEOPLE", "10000"))
MAILS = int(os.environ.get("BENCH_MAILS", "40000"))
TEXTS = int(os.environ.get("BENCH_TEXTS", "15000"))
NAIVE_MAILS = int(os.environ.get("BENCH_NAIVE_MAILS", "400"))
NAIVE_TEXTS = int(os.environ.get("BENCH_NAIVE_TEXTS", "1500"))
LATENCY_MS = 5.0
LONG_LATENCY_MS = 100.0
WARM = 2000
STALLED_SECONDS = 60.0

BULK = ("-A", "tasks", "worker", "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "INFO")
NODES = tuple(os.environ.get("BENCH_NODES", "--pool threads -c 2|--pool threads -c 2").split("|"))
"""The bulk workers of a row, one entry per node."""

REPORT = {"month": "2025-01", "spending": "2310.40", "savings": "420.00"}
REMINDER = {"template": "Reminder: {bill_name} due {due_date} - ${amount}", "bill_name": "Rent",
            "due_date": "2025-02-01", "amount": "1200.00"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """How a drain went."""

    messages: int
    seconds: float
    cpu: float
    peak_mb: float
    servers: dict[str, float]

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU microseconds per message in worker processes."""
        return self.cpu / self.messages * 1e6


def emails(stage: Stage) -> list[Figure]:
    ours, slow = _ours(stage, "monthly_report", REPORT, "email_reports", MAILS)
    plain = _naive(stage, "send_email", NAIVE_MAILS)
    return _figures("P1", "bulk email", ours, plain, slow, ratio=200, cpu_us=80)


def texts(stage: Stage) -> list[Figure]:
    ours, slow = _ours(stage, "payment_reminder", REMINDER, "sms_daily", TEXTS)
    plain = _naive(stage, "send_sms", NAIVE_TEXTS)
    return _figures("P2", "bulk SMS", ours, plain, slow, ratio=10, cpu_us=450)


def _figures(
    row: str, what: str, ours: Run, plain: Run, slow: Run, *, ratio: float, cpu_us: float
) -> list[Figure]:
    by_time, by_cpu = ours.rate / plain.rate, plain.cpu_us / ours.cpu_us
    return [
        Figure(id=row, what=f"{what}, sustained", value=ours.rate, unit="messages/s", naive=plain.rate, ratio=by_time,
               target=f"≥ {ratio:g} × naive", met=by_time >= ratio),
        Figure(id=row, what=f"{what}, CPU in our processes", value=ours.cpu_us, unit="µs/message",
               naive=plain.cpu_us, ratio=by_cpu, target=f"≤ {cpu_us:g} µs", met=ours.cpu_us <= cpu_us),
        *(Figure(id=row, what=f"{what}, CPU of {name}", value=used / ours.messages * 1e6, unit="µs/message",
                 naive=plain.servers[name] / plain.messages * 1e6)
          for name, used in ours.servers.items()),
        Figure(id=row, what=f"{what}, peak memory of the workers", value=ours.peak_mb, unit="MB",
               naive=plain.peak_mb),
        Figure(id=row, what=f"{what}, provider answers after {LONG_LATENCY_MS:g} ms", value=slow.rate,
               unit="messages/s"),
    ]  # fmt: skip


def accept_bulk(message_type: str, payload: dict[str, Any], count: int, *, relay_after: float = 0.0) -> float:
    """Accept `count` messages over all people; the seconds that it took."""
    from delivery.intake import Request, accept_many

    began = time.monotonic()
    for start in range(0, count, 1000):
        requests = [
            Request(user_id=user_id(number % PEOPLE), message_type=message_type, payload=payload)
            for number in range(start, min(start + 1000, count))
        ]
        accept_many(requests, relay_after=relay_after)
    return time.monotonic() - began


@contextmanager
def heartbeats(seconds: float = 1.0) -> Iterator[None]:
    """What Celery beat does, without its process: the relay's heartbeats until the block ends."""
    from tasks import app

    over = threading.Event()

    def beat() -> None:
        while not over.is_set():
            for name in ("publish_due", "recover_lapsed"):
                app.send_task(f"tasks.{name}", queue="housekeeping", expires=5)
            over.wait(seconds)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def node(name: str, queues: str, options: str) -> tuple[str, Sequence[str]]:
    """A worker of ours for `Stage.workers`."""
    return name, (*BULK, "-n", f"{name}@%h", "-Q", queues, *options.split())


def _ours(stage: Stage, message_type: str, payload: dict[str, Any], lane: str, count: int) -> tuple[Run, Run]:
    fresh_database(stage, "bench", PEOPLE)
    stage.clear()
    bulk = [node(f"bulk{number}", lane, options) for number, options in enumerate(NODES)]
    with stage.workers(*bulk, node("housekeeping", "housekeeping", "--pool solo")) as workers:
        pids = [each.process.pid for each in workers]
        runs = []
        for messages, latency in ((WARM, LATENCY_MS), (count, LATENCY_MS), (count // 4, LONG_LATENCY_MS)):
            accept_bulk(message_type, payload, messages)
            runs.append(_drain(stage, pids, messages, latency))
    check(stage, WARM + count + count // 4)
    return runs[1], runs[2]


def _drain(stage: Stage, pids: Sequence[int], count: int, latency: float) -> Run:
    stage.sink_reset(latency)
    servers, cpu = stage.server_cpu(), cpu_of(pids)
    with heartbeats():
        began = time.monotonic()
        await_messages(stage, count)
        while stage.sql("SELECT 1 FROM notifications WHERE state IN ('accepted', 'claimed') LIMIT 1"):
            time.sleep(0.05)
        ended = time.monotonic()
    after = stage.server_cpu()
    return Run(
        messages=count,
        seconds=ended - began,
        cpu=cpu_of(pids) - cpu,
        peak_mb=peak_mb_of(pids),
        servers={name: after[name] - servers[name] for name in after},
    )


def check(stage: Stage, count: int) -> None:
    """Speed that lost a guarantee counts for nothing: every message sent once, with its intent, cost and event."""
    found = stage.sql(
        "SELECT (SELECT count(*) FROM notifications WHERE state = 'sent' AND cost > 0 AND evidence IS NOT NULL),"
        " (SELECT count(*) FROM attempts WHERE outcome = 'accepted' AND opened_at <= closed_at),"
        " (SELECT count(*) FROM delivery_events WHERE kind = 'sent')"
    )[0]
    if found != (count, count, count):
        states = stage.sql("SELECT state, reason, count(*) FROM notifications GROUP BY 1, 2")
        raise RuntimeError(f"of {count} messages (sent, attempts, events) are {found}: {states}")


def prepare_naive(stage: Stage) -> None:
    """The naive design's own tables, with the same people."""
    from benchmarks.naive import SCHEMA

    stage.sql(SCHEMA)


def _naive(stage: Stage, task: str, count: int) -> Run:
    from benchmarks import naive

    stage.clear()
    prepare_naive(stage)
    stage.sink_reset(LATENCY_MS)
    data = {"subject": "Your month", "html": "<p>Hi {name}, you spent {spending}.</p>" + "<p>x</p>" * 500,
            **REPORT, **REMINDER}  # fmt: skip
    naive_worker = (
        "-A",
        "benchmarks.naive",
        "worker",
        "-n",
        "naive@%h",
        "-Q",
        "naive",
        "-c",
        "2",
        "-l",
        "INFO",
    )
    send = getattr(naive, task)
    with stage.workers(("naive", naive_worker)) as workers:
        pids = [each.process.pid for each in workers]
        for number in range(20):  # warm: connections and clients are made before the clock runs
            send.delay(user_id(number), data)
        await_messages(stage, 20)
        workers[0].process.send_signal(19)  # SIGSTOP: publishing is not part of what is timed
        for number in range(count):
            send.delay(user_id(number % PEOPLE), data)
        servers, cpu = stage.server_cpu(), cpu_of(pids)
        began = time.monotonic()
        workers[0].process.send_signal(18)
        await_messages(stage, 20 + count)
        ended = time.monotonic()
        after = stage.server_cpu()
        return Run(
            messages=count,
            seconds=ended - began,
            cpu=cpu_of(pids) - cpu,
            peak_mb=peak_mb_of(pids),
            servers={name: after[name] - servers[name] for name in after},
        )


def await_messages(stage: Stage, count: int) -> None:
    seen, since = 0, time.monotonic()
    while (now := stage.sink_report()["messages"]) < count:
        if now > seen:
            seen, since = now, time.monotonic()
        if time.monotonic() - since > STALLED_SECONDS:
            raise RuntimeError(f"stalled at {now} of {count} messages: see {stage.folder / 'log'}")
        time.sleep(0.05)
