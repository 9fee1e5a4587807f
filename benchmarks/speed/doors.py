"""P8 and P9: signed callbacks through the real web app, and how long processes need to start."""

import base64
import hashlib
import hmac
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid
from urllib.parse import urlencode

from benchmarks.speed.accounting import cpu_of
from benchmarks.speed.bulk import PEOPLE, node
from benchmarks.speed.figures import Figure, percentile
from benchmarks.speed.population import fresh_database
from benchmarks.speed.stage import ROOT, Stage
from core.embedded import free_ports

CALLBACKS = int(os.environ.get("BENCH_CALLBACKS", "12000"))
CONNECTIONS = 24
STARTS = 5


def callbacks(stage: Stage) -> list[Figure]:
    fresh_database(stage, "bench", PEOPLE)
    stage.clear()
    (port,) = free_ports(1)
    web = stage.start(
        "web", sys.executable, "-m", "uvicorn", "web.app:app", "--host", "127.0.0.1", "--port", str(port),
        "--no-access-log",
    )  # fmt: skip
    web.wait_ready("Uvicorn running")
    secret = stage.env["TWILIO_AUTH_TOKEN"].encode()
    requests = [_signed(stage.env["PUBLIC_BASE_URL"], secret) for _ in range(CALLBACKS + CONNECTIONS * 10)]
    _storm(port, requests[CALLBACKS:])
    cpu, began = cpu_of([web.process.pid]), time.monotonic()
    taken = _storm(port, requests[:CALLBACKS])
    seconds, cpu = time.monotonic() - began, cpu_of([web.process.pid]) - cpu
    stored = stage.sql("SELECT count(*) FROM callbacks")[0][0]
    web.process.terminate()
    if stored != len(requests):
        raise RuntimeError(f"of {len(requests)} callbacks {stored} are stored")
    rate, p99 = CALLBACKS / seconds, percentile(taken, 0.99)
    return [
        Figure(id="P8", what="signed callbacks stored durably, one process", value=rate, unit="callbacks/s",
               target="≥ 1,500 /s", met=rate >= 1500),
        Figure(id="P8", what="… p99", value=p99 * 1e3, unit="ms", target="< 50 ms", met=p99 < 0.050),
        Figure(id="P8", what="… CPU of the web process", value=cpu / CALLBACKS * 1e6, unit="µs/callback"),
    ]  # fmt: skip


def _signed(base: str, secret: bytes) -> bytes:
    """A status callback as Twilio sends it (twilio.com/docs/usage/security)."""
    path = f"/webhooks/twilio/status/{uuid.uuid4()}"
    form = {
        "AccountSid": "ACsandbox0000000000000000000000000", "ApiVersion": "2010-04-01", "From": "+15005550006",
        "MessageSid": f"SM{uuid.uuid4().hex}", "MessageStatus": "delivered", "To": "+15122000001",
    }  # fmt: skip
    signed = base + path + "".join(name + form[name] for name in sorted(form))
    signature = base64.b64encode(hmac.digest(secret, signed.encode(), hashlib.sha1)).decode()
    body = urlencode(form)
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"X-Twilio-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _storm(port: int, requests: list[bytes]) -> list[float]:
    """Every request once over a few keep-alive connections; seconds until each answer."""
    waiting, taken, wrong = iter(requests), [], []
    lock = threading.Lock()

    def caller() -> None:
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                with lock:
                    request = next(waiting, None)
                if request is None:
                    return
                began = time.monotonic()
                line.sendall(request)
                answer = line.recv(65_536)
                taken.append(time.monotonic() - began)
                if not answer.startswith(b"HTTP/1.1 204"):
                    wrong.append(answer)

    threads = [threading.Thread(target=caller) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise RuntimeError(f"{len(wrong)} callbacks were not taken: {wrong[0]!r}")
    return taken


HEAVY = ("pandas", "prefect", "boto3", "phonenumbers", "matplotlib", "scipy", "numpy")


def starts(stage: Stage) -> list[Figure]:
    fresh_database(stage, "bench", PEOPLE)
    stage.clear()
    ready = []
    for _ in range(3):
        started = stage.start(
            "starting", sys.executable, "-m", "celery", *node("starting", "sms_critical", "--pool threads")[1]
        )
        ready.append(started.wait_ready())
        started.process.terminate()
        started.process.wait(20)
    wall, cpu, loaded = [], [], ""
    for _ in range(STARTS):
        found = subprocess.run(
            (sys.executable, "-c", IMPORT),
            cwd=ROOT,
            env=stage.env,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split(maxsplit=2)
        wall.append(float(found[0]))
        cpu.append(float(found[1]))
        loaded = found[2].strip() if len(found) > 2 else ""
    ready_s, import_s, import_cpu = min(ready), min(wall), statistics.median(cpu)
    return [
        Figure(id="P9", what="a worker is ready", value=ready_s, unit="s", target="< 3 s", met=ready_s < 3),
        Figure(id="P9", what="import tasks", value=import_s, unit="s", target="< 0.6 s", met=import_s < 0.6),
        Figure(id="P9", what="import tasks, CPU", value=import_cpu, unit="s"),
        Figure(id="P9", what=f"heavy libraries that it loads ({loaded or 'none'})", value=len(loaded.split()), unit="",
               target="none", met=not loaded),
    ]  # fmt: skip


IMPORT = f"""
import sys, time
began, cpu = time.perf_counter(), time.process_time()
import tasks
print(time.perf_counter() - began, time.process_time() - cpu, *(name for name in {HEAVY!r} if name in sys.modules))
"""
