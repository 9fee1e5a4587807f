"""Redis and PostgreSQL that die, forget, fill up and cut connections."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import redis as redis_py

from benchmarks.chaos.load import Load, feeding
from benchmarks.chaos.world import DISK_FREE, DISK_FULL, World
from core.database import DATABASE_AWAY
from core.redis import REDIS_AWAY, client
from core.settings import settings


def redis_emptied(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """Killed in the middle of its work; what comes back knows nothing."""
    rounds = max(1, round(5 * scale))
    before = world.starts()
    with feeding(world, campaign, round(3000 * scale), over_seconds=rounds * 8.0) as load:
        for _ in range(rounds):
            time.sleep(world.dice.uniform(2.0, 4.0))
            killed = world.stack.pid("redis")
            os.kill(killed, signal.SIGKILL)
            world.stack.wait_ready("redis", not_pid=killed)
            _patiently(lambda broker: broker.flushall())
    return load, f"{rounds} × killed and emptied; {world.starts() - before} workers ended by it"


def redis_bothered(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """All clients cut off, all commands held up, all scripts forgotten."""
    rounds = max(2, round(8 * scale))
    with feeding(world, campaign, round(2000 * scale), over_seconds=rounds * 3.0) as load:
        for number in range(rounds):
            time.sleep(world.dice.uniform(0.5, 2.0))
            if number % 3 == 0:
                _patiently(lambda broker: broker.client_kill_filter(_type="normal"))
            elif number % 3 == 1:
                _patiently(lambda broker: broker.client_pause(2500))
            else:
                _patiently(lambda broker: broker.script_flush())
    return load, f"{rounds} × cut off, paused 2.5 s, or made to forget scripts"


def redis_full(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """No byte more fits in: what can't be queued waits in PostgreSQL."""
    seconds = max(5.0, 12 * scale)
    with feeding(world, campaign, round(2000 * scale), over_seconds=seconds + 4) as load:
        time.sleep(2)
        _patiently(lambda broker: broker.config_set("maxmemory", 1024 * 1024))
        time.sleep(seconds)
        _patiently(lambda broker: broker.config_set("maxmemory", 0))
    return load, f"maxmemory reached for {seconds:.0f} s"


def postgres_stopped(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """All backends terminated again and again, then the server stopped for a while."""
    seconds = max(6.0, 30 * scale)
    cuts = max(2, round(5 * scale))
    with feeding(world, campaign, round(2000 * scale), over_seconds=cuts * 2 + 5) as load:
        for _ in range(cuts):
            time.sleep(world.dice.uniform(0.5, 2.0))
            with suppress(*DATABASE_AWAY):
                world.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    " AND application_name = 'mingus'"
                )
        world.stack.halt("postgres")
        time.sleep(seconds)
        world.stack.resume("postgres")
    return (
        load,
        f"{cuts} × all backends cut, then stopped for {seconds:.0f} s; {load.turned_away} callers told so",
    )


def postgres_killed(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """The postmaster dies by SIGKILL in the middle of everything, and recovers from its log."""
    rounds = max(1, round(3 * scale))
    with feeding(world, campaign, round(2000 * scale), over_seconds=rounds * 8.0) as load:
        for _ in range(rounds):
            time.sleep(world.dice.uniform(1.5, 3.0))
            killed = world.stack.pid("postgres")
            os.kill(killed, signal.SIGKILL)
            world.stack.wait_ready("postgres", not_pid=killed)
    return load, f"{rounds} kills; {load.turned_away} callers told so"


def disk_full(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """Every write is answered with SQLSTATE 53100, as PostgreSQL does when a file can't grow."""
    seconds = max(5.0, 12 * scale)
    with feeding(world, campaign, round(1500 * scale), over_seconds=seconds + 6) as load:
        time.sleep(3)
        world.sql(DISK_FULL)
        time.sleep(seconds)
        world.sql(DISK_FREE)
    return load, f"every write refused for {seconds:.0f} s"


def _patiently(command: Callable[[redis_py.Redis], object], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            command(client(settings().broker_url))
            return
        except (*REDIS_AWAY, redis_py.RedisError):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
