"""The circuit breaker of each provider, shared by all workers through Redis.

Over the last 30 seconds a provider whose failures reach 5 and half of its calls is taken out for 5 to 60 seconds
(doubling, with jitter); then one probe at a time is let through until one succeeds. Without Redis every provider
counts as up: a breaker saves time, it never decides about safety.
"""

import random
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path

from core.redis import REDIS_AWAY, client, script

_SCRIPT = Path(__file__).with_name("health.lua")
_PREFIX = "mingus:health:"


class Health(StrEnum):
    """Whether a provider may be called."""

    UP = "up"
    PROBE = "probe"
    DOWN = "down"


def of(providers: Collection[str]) -> dict[str, Health]:
    """The health of each; PROBE is handed out to one caller at a time, who should send one message only."""
    names = sorted(providers)
    try:
        found = script(_SCRIPT)(keys=[_PREFIX + name for name in names], args=["ask"])
    except REDIS_AWAY:
        return dict.fromkeys(names, Health.UP)
    return {name: Health(answer.decode()) for name, answer in zip(names, found, strict=True)}


def record(results: Mapping[str, tuple[int, int]], *, misconfigured: Collection[str] = ()) -> None:
    """Count (good, bad) calls per provider; a misconfigured one is taken out at once."""
    if not results:
        return
    arguments: list[str | int | float] = ["record"]
    for name, (good, bad) in results.items():
        arguments += [good, bad, int(name in misconfigured), random.uniform(0.8, 1.2)]
    try:
        script(_SCRIPT)(keys=[_PREFIX + name for name in results], args=arguments)
    except REDIS_AWAY:
        return


def reset(provider: str) -> None:
    """Forget what is known about `provider` (after an operator has mended it)."""
    client().delete(_PREFIX + provider, _PREFIX + provider + ":probe")
