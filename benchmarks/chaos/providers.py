"""Providers that hang, fail, refuse and dawdle."""

import time
from contextlib import ExitStack
from typing import Any

from benchmarks.chaos.load import Load, feeding
from benchmarks.chaos.world import World


def hangs(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """Taken, then no answer: the case in which a client library sends twice."""
    with (
        world.fault(provider="any", kind="accept_then_hang", probability=0.05, params={"hang_seconds": 4}),
        feeding(world, campaign, round(1500 * scale), over_seconds=30 * scale) as load,
    ):
        time.sleep(30 * scale)
    return load, "5 % of calls taken and never answered"


def outage(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """Nothing is taken for a while; afterwards everything is."""
    seconds = max(6.0, 20 * scale)
    with feeding(world, campaign, round(1500 * scale), over_seconds=seconds + 5) as load:
        time.sleep(2)
        with world.fault(provider="any", kind="5xx_before"):
            time.sleep(seconds)
    return load, f"500 on everything for {seconds:.0f} s"


def storm(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """Nine of ten calls are told to come back later."""
    seconds = max(6.0, 20 * scale)
    with (
        feeding(world, campaign, round(1500 * scale), over_seconds=seconds) as load,
        world.fault(provider="any", kind="429", probability=0.9, params={"retry_after": 1}),
    ):
        time.sleep(seconds)
    return load, f"429 on 90 % for {seconds:.0f} s"


def lost_answers(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """Every way in which an answer can be lost, before and after the message was taken, at once."""
    kinds: list[dict[str, Any]] = [
        {"kind": "5xx_after"},
        {"kind": "5xx_before"},
        {"kind": "reset", "params": {"when": "after"}},
        {"kind": "reset", "params": {"when": "before"}},
        {"kind": "malformed"},
    ]
    with ExitStack() as faults:
        for fault in kinds:
            faults.enter_context(world.fault(provider="any", probability=0.05, **fault))
        with feeding(world, campaign, round(1500 * scale), over_seconds=20 * scale) as load:
            pass
        time.sleep(5)
    return load, "5 % each: 5xx and resets before and after, spoilt bodies"


def slow(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """Mail takes seconds; texts must not wait for it."""
    with (
        world.fault(provider="resend", kind="latency", params={"fixed_ms": 1500}),
        feeding(world, campaign, round(1500 * scale), over_seconds=20 * scale) as load,
    ):
        time.sleep(20 * scale)
    return load, f"1.5 s per mail call; {_alerts(world, campaign)}"


def flood(world: World, campaign: str, scale: float) -> tuple[Load, str]:
    """Mail by the ten thousand, all due at once; in the middle of it every fiftieth message is an alert."""
    mix = ("critical_financial",) + ("educational_content",) * 49
    with feeding(world, campaign, round(10_000 * scale), over_seconds=10 * scale, mix=mix) as load:
        pass
    return load, f"bulk as fast as it can be accepted; {_alerts(world, campaign)}"


def _alerts(world: World, campaign: str, patience: float = 30.0) -> str:
    """How long 95 of 100 alerts took, once all are out."""
    until = time.monotonic() + patience
    while True:
        ((slowest, waiting),) = world.sql(
            "SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM sent_at - created_at))::float,"
            " count(*) FILTER (WHERE sent_at IS NULL) FROM notifications"
            f" WHERE campaign = '{campaign}' AND lane = 'sms_critical'"
        )
        if not waiting or time.monotonic() > until:
            return f"alerts meanwhile p95 {slowest or 0.0:.1f} s"
        time.sleep(0.2)
