"""The same kills against a plain Celery task (acks_late, reject_on_worker_lost), so that the difference is seen."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter, deque
from contextlib import ExitStack, suppress
from pathlib import Path

import orjson
import redis as redis_py

from benchmarks.chaos.report import Result
from core.embedded import embedded_redis, free_ports

GROUP = 4
VISIBILITY_SECONDS = 30
"""Celery's default is an hour: so long a killed worker's messages would wait."""
GIVE_UP_SECONDS = 240.0
SID, TOKEN = "AC" + "5a" * 16, "plain-token"


def run(var: Path, *, seed: int, messages: int, kills: int) -> Result:
    """As many messages and kills as ours had; what the sandbox's ledger says in the end."""
    shutil.rmtree(var, ignore_errors=True)
    var.mkdir(parents=True)
    dice = random.Random(seed)
    began = time.monotonic()
    (port,) = free_ports(1)
    with ExitStack() as held:
        broker = held.enter_context(embedded_redis(var / "redis"))
        env = os.environ | {
            "PLAIN_BROKER": broker,
            "PLAIN_SANDBOX": f"http://127.0.0.1:{port}",
            "PLAIN_SID": SID,
            "PLAIN_TOKEN": TOKEN,
            "PLAIN_VISIBILITY": str(VISIBILITY_SECONDS),
        }
        sandbox = _spawn(var, "sandbox", env | {"SANDBOX_TWILIO_ACCOUNT_SID": SID, "SANDBOX_TWILIO_AUTH_TOKEN": TOKEN},
                         "sandbox", f"--port={port}", f"--data={var / 'sandbox'}")  # fmt: skip
        held.callback(_end, sandbox)
        _await(f"http://127.0.0.1:{port}/_sandbox/healthz")
        os.environ["PLAIN_BROKER"] = broker
        from benchmarks.chaos.plain_tasks import send

        with send.app.connection_for_write() as connection:
            producer = send.app.amqp.Producer(connection)
            for number in range(messages):
                send.apply_async((f"+1512200{number % 10000:04d}", f"plain {number}"), producer=producer)
        workers = [_worker(var, env, number) for number in range(GROUP)]
        held.callback(lambda: deque(map(_end, workers), maxlen=0))
        done = 0
        rounds = max(1, kills // GROUP)
        for turn in range(rounds):
            _await_progress(var, done, messages * (turn + 1) // (rounds + 1))
            time.sleep(dice.uniform(0.0, 0.5))
            for number, worker in enumerate(workers):
                with suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
                workers[number] = _worker(var, env, number)
            done += GROUP
        hurt = time.monotonic()
        _await_calm(redis_py.Redis.from_url(broker), var)
        recovered = time.monotonic() - hurt
        taken = _taken(var)
    expected = {f"plain {number}" for number in range(messages)}
    return Result(
        scenario="the same kills, plain Celery (acks_late, reject_on_worker_lost)",
        injected=f"{done} kills, visibility timeout {VISIBILITY_SECONDS} s instead of an hour",
        messages=messages,
        lost=len(expected - taken.keys()),
        duplicated=sum(1 for text in expected if taken[text] > 1),
        recovered_in=round(recovered, 1),
        seconds=round(time.monotonic() - began, 1),
        kills=done,
    )


def _spawn(var: Path, name: str, env: dict[str, str], module: str, *words: str) -> subprocess.Popen[bytes]:
    with (var / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, *words],
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _worker(var: Path, env: dict[str, str], number: int) -> subprocess.Popen[bytes]:
    return _spawn(
        var, f"worker{number}", env, "celery", "-A", "benchmarks.chaos.plain_tasks", "worker", "-n", f"plain{number}@%h",
        "--pool", "prefork", "-c", "2", "--without-gossip", "--without-mingle", "-l", "WARNING",
    )  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _await(url: str) -> None:
    until = time.monotonic() + 30
    while True:
        with suppress(OSError):
            urllib.request.urlopen(url, timeout=1).close()
            return
        if time.monotonic() > until:
            raise TimeoutError("the sandbox did not start")
        time.sleep(0.1)


def _taken(var: Path) -> Counter[str]:
    taken: Counter[str] = Counter()
    ledger = var / "sandbox" / "ledger.jsonl"
    if ledger.exists():
        with ledger.open("rb") as lines:
            for line in lines:
                with suppress(orjson.JSONDecodeError):
                    entry = orjson.loads(line)
                    if entry["outcome"] == "accepted":
                        taken[entry["body"]] += 1
    return taken


def _await_progress(var: Path, _done: int, wanted: int, seconds: float = 60.0) -> None:
    """Until the provider has taken so many: kills must hit workers at work, spread over all messages."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and _taken(var).total() < wanted:
        time.sleep(0.2)


def _await_calm(broker: "redis_py.Redis", var: Path) -> None:
    """Until queue and unacknowledged set are empty and nothing more arrives."""
    until = time.monotonic() + GIVE_UP_SECONDS
    last, since = -1, time.monotonic()
    while time.monotonic() < until:
        now = _taken(var).total()
        if now != last:
            last, since = now, time.monotonic()
        if not broker.llen("celery") and not broker.hlen("unacked") and time.monotonic() - since > 3:
            return
        time.sleep(0.5)
