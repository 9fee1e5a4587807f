"""Real worker processes: asked to stop in the middle of a chunk, and left without their Redis."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis as redis_py

from core.database import transaction
from core.embedded import free_ports
from core.embedded.redis import redis_command, redis_is_ready
from core.redis import disconnect
from core.statements import rows
from core.vocabulary import Lane
from delivery.recovery import recover_lapsed
from delivery.unknowns import resolve_unknown
from tests.delivery.stage import person
from tests.reliability.story import QUICK, alert, let_time_pass, row_of, state_of, taken

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def started(log: Path, *, pool: str = "threads", **env: str) -> subprocess.Popen:
    """A worker of the critical lane, ready."""
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "tasks",
        "worker",
        "-Q",
        Lane.SMS_CRITICAL,
        "--pool",
        pool,
    ]
    command += ["-c", "2", "--without-gossip", "--without-mingle", "-l", "INFO"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=os.environ | QUICK | env, stdout=output, stderr=output)
    until(lambda: b" ready." in log.read_bytes(), 60)
    return process


def until(true, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def states():
    with transaction() as connection:
        return dict(rows(connection, "SELECT state, count(*) FROM notifications GROUP BY 1"))


def publish(ids):
    from tasks.chunk import deliver_chunk

    deliver_chunk.apply_async(args=([str(each) for each in ids],), queue=Lane.SMS_CRITICAL)


@pytest.mark.usefixtures("redis")
@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_worker_that_is_asked_to_stop_ends_its_calls_and_gives_the_rest_back(
    people, provider, configure, tmp_path, pool
):
    """Pool processes hear nothing of it and end the whole delivery that they are in."""
    configure(**QUICK, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url)
    people(*(person(f"P{n}", n) for n in range(40)))
    sent = [alert(f"user_p{n}") for n in range(40)]
    provider.fault(provider="twilio", kind="latency", params={"fixed_ms": 300})
    slowly = {"MINGUS_PROVIDER_CONNECTIONS": "2", "MINGUS_LEASE_SECONDS": "60"}
    worker = started(tmp_path / "worker.log", pool=pool, **slowly)
    publish(sent)
    until(lambda: len(taken(provider)) >= 4)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(150) == 0
    there = states()
    assert set(there) <= {"sent", "delivered", "accepted"}, "no claim is left behind"
    left = there.get("accepted", 0)
    assert left >= 20 if pool == "threads" else left == 0
    assert len(taken(provider)) == 40 - left
    assert all(row_of(each)["tries"] == 0 for each in sent)
    second = started(tmp_path / "second.log", pool=pool)
    let_time_pass()
    publish(sent)
    until(lambda: len(taken(provider)) == 40)
    until(lambda: "accepted" not in states())
    second.send_signal(signal.SIGTERM)
    second.wait(60)
    assert len({each["to"] for each in taken(provider)}) == 40
    assert {state_of(each) for each in sent} <= {"sent", "delivered"}


def test_a_worker_outlives_its_redis_and_works_on_when_it_is_back_and_empty(
    people, provider, configure, server_home, tmp_path
):
    """docs/decisions/0003-early-acks.md: with late acknowledgement workers have died of this."""
    (port,) = free_ports(1)
    command = redis_command(server_home / "redis", port=port, durable=False)
    urls = dict.fromkeys(("REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"), command.url)
    server = _serve(command)
    configure(**QUICK, **urls, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url)
    people(*(person(f"P{n}", n) for n in range(60)))
    worker = started(tmp_path / "worker.log", **urls)
    try:
        for round_ in range(3):
            sent = [alert(f"user_p{n}", f"round {round_}") for n in range(60)]
            _publish_at(command.url, sent)
            until(lambda round_=round_: len(taken(provider)) > 60 * round_)
            server.kill()
            server.wait()
            time.sleep(0.5)
            server = _serve(command)
            deadline = time.monotonic() + 40
            while len(taken(provider)) < 60 * (round_ + 1) and time.monotonic() < deadline:
                let_time_pass()
                recover_lapsed()
                resolve_unknown()
                _publish_at(command.url, sent)
                time.sleep(1)
            assert len(taken(provider)) == 60 * (round_ + 1)
        assert worker.poll() is None, "the worker that began is the one that ends"
        assert len({(each["to"], each["body"]) for each in taken(provider)}) == 180
    finally:
        disconnect()
        worker.kill()
        worker.wait()
        server.kill()
        server.wait()


def _serve(command):
    server = subprocess.Popen(command.tethered_argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: redis_is_ready(command.url))
    return server


def _publish_at(url, ids):
    """Queue as the relay does, from a process of its own: this one's Celery app knows another broker."""
    code = (
        "import sys; from tasks.chunk import deliver_chunk;"
        "deliver_chunk.apply_async(args=(sys.argv[1:],), queue='sms_critical')"
    )
    env = os.environ | {"CELERY_BROKER_URL": url, "REDIS_URL": url, "CELERY_RESULT_BACKEND": url}
    subprocess.run([sys.executable, "-c", code, *map(str, ids)], check=True, env=env, timeout=60)
    with redis_py.Redis.from_url(url, socket_timeout=2) as client:
        client.ping()
