"""Processes that die, stall and restart."""

import os
import signal
import time

from benchmarks.chaos.load import Load, feeding
from benchmarks.chaos.world import WORKERS, World

KILLS = 200
MESSAGES = 20_000
STALLED_SECONDS = 9.0


def kills(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """Whole groups of workers at once, at random moments, while messages flow."""
    rounds = max(1, round(KILLS * scale / len(WORKERS)))
    total = round(MESSAGES * scale)
    before = world.kills
    with feeding(world, campaign, total, over_seconds=rounds * 6.0) as load:
        for _ in range(rounds):
            _await_work(world, campaign)
            time.sleep(world.dice.uniform(0.0, 1.5))
            world.kill(*WORKERS)
            world.await_ready(*WORKERS)
    return load, f"{world.kills - before} kills in {rounds} rounds"


def stalls(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """Workers are stopped in the middle of their work, longer than their leases, and wake up again."""
    rounds = max(1, round(6 * scale))
    total = round(2400 * scale)
    with (
        world.fault(provider="any", kind="latency", params={"uniform": [5, 60]}),
        feeding(world, campaign, total, over_seconds=rounds * STALLED_SECONDS) as load,
    ):
        for number in range(rounds):
            name = ("critical", "email")[number % 2]
            _await_work(world, campaign)
            time.sleep(world.dice.uniform(0.0, 0.5))
            pid = world.stack.pid(name)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(STALLED_SECONDS)
            os.kill(pid, signal.SIGCONT)
    return load, f"{rounds} stalls of {STALLED_SECONDS:.0f} s, lease 5 s"


def rolling_restart(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """Every worker is asked to stop and started again, one after the other, while messages flow."""
    rounds = max(1, round(2 * scale))
    total = round(3000 * scale)
    with (
        world.fault(provider="any", kind="latency", params={"uniform": [5, 40]}),
        feeding(world, campaign, total, over_seconds=rounds * 25.0) as load,
    ):
        for _ in range(rounds):
            for name in WORKERS:
                world.stack.restart(name)
                world.await_ready(name)
    return load, f"{rounds * len(WORKERS)} graceful restarts"


def crashing(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """The workers of this world die by themselves, at their crash points."""
    with feeding(world, campaign, round(2000 * scale), over_seconds=40 * scale) as load:
        pass
    return load, "workers that die of themselves"


def poison(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """One message in some hundreds ends every worker that looks at it."""
    total = max(100, round(400 * scale))
    mix = ("career_insights",) + ("educational_content",) * (total // 2 - 1)
    with feeding(world, campaign, total, over_seconds=5, mix=mix) as load:
        pass
    return load, "2 messages that kill whoever works on them"


def _await_work(world: World, campaign: str, seconds: float = 20.0) -> None:
    """Until something of the campaign is claimed: a kill of idle workers shows nothing."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ((busy,),) = world.sql(
            f"SELECT EXISTS (SELECT FROM notifications WHERE state = 'claimed' AND campaign = '{campaign}')"
        )
        if busy:
            return
        time.sleep(0.02)
