"""The circuit breaker of each provider, shared by all workers through Redis.

Over the last 30 seconds a provider whose failed calls reach 5 and half of all is taken out for 5 to 60 seconds
(doubling, with jitter); then one probe at a time is let through until one succeeds. Without Redis every provider
counts as up: a breaker saves time, it never decides about safety.
"""

import random
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(slots=True)
class Calls:
    """What calls to one provider came to; `broken`: it will not work before somebody mends our account."""

    good: int = 0
    bad: int = 0
    broken: bool = False


class Standing(dict[str, Health]):
    """The health of each provider that was asked about. PROBE stands for one call of one message, handed out once."""

    _used: frozenset[str] = frozenset()

    def used(self, providers: Collection[str]) -> None:
        """Tell which providers will be called: a probe that nobody uses is given back."""
        self._used = frozenset(providers)

    @property
    def unused_probes(self) -> list[str]:
        """Probes that nobody has used."""
        return [name for name, health in self.items() if health is Health.PROBE and name not in self._used]


@contextmanager
def of(providers: Collection[str]) -> Iterator[Standing]:
    """The health of each, for as long as a plan is made."""
    names = sorted(providers)
    try:
        found = script(_SCRIPT)(keys=[_PREFIX + name for name in names], args=["ask"]) if names else []
        standing = Standing(
            {name: Health(answer.decode()) for name, answer in zip(names, found, strict=True)}
        )
    except REDIS_AWAY:
        standing = Standing(dict.fromkeys(names, Health.UP))
    try:
        yield standing
    finally:
        _give_back(standing.unused_probes)


def record(results: Mapping[str, Calls]) -> None:
    """Count calls; a provider that is broken is taken out at once."""
    if not results:
        return
    arguments: list[str | int | float] = ["record"]
    for calls in results.values():
        arguments += [calls.good, calls.bad, int(calls.broken), random.uniform(0.8, 1.2)]
    try:
        script(_SCRIPT)(keys=[_PREFIX + name for name in results], args=arguments)
    except REDIS_AWAY:
        return


def is_open(provider: str) -> bool:
    """True while `provider` is taken out, its probes included; asking takes no probe. False without Redis."""
    try:
        return int(client().hget(_PREFIX + provider, "opened") or 0) > 0
    except REDIS_AWAY:
        return False


def reset(provider: str) -> None:
    """Forget what is known about `provider` (after an operator has mended it)."""
    client().delete(_PREFIX + provider, _PREFIX + provider + ":probe")


def _give_back(names: Collection[str]) -> None:
    if names:
        try:
            client().delete(*(f"{_PREFIX}{name}:probe" for name in names))
        except REDIS_AWAY:
            return
