"""The circuit breaker of each provider, shared by all workers through Redis.

Over the last 30 seconds a provider whose failed calls reach 5 and half of all is taken out for 5 to 60 seconds
(doubling, with jitter); then one probe at a time is let through until one succeeds. Without Redis every provider
counts as up: a breaker saves time, it never decides about safety. For the same reason a process believes for a moment
that a provider is up, and tells of good calls together: what changes something is told at once.
"""

import random
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from core.redis import REDIS_AWAY, client, script
from delivery.tallies import Tally

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
    standing = _asked(sorted(providers))
    try:
        yield standing
    finally:
        _give_back(standing.unused_probes)


def record(results: Mapping[str, Calls]) -> None:
    """Count calls; a provider that is broken is taken out at once."""
    matters = any(calls.bad or calls.broken for calls in results.values()) or not _believed_up(results)
    told = _good.add({name: calls.good for name, calls in results.items()}, now_at_once=matters)
    if not told and not matters:
        return
    names = sorted({*told, *results})
    arguments: list[str | int | float] = ["record"]
    for name in names:
        calls = results.get(name, Calls())
        arguments += [told.get(name, 0), calls.bad, int(calls.broken), random.uniform(0.8, 1.2)]
    try:
        answers = script(_SCRIPT)(keys=[_PREFIX + name for name in names], args=arguments)
    except REDIS_AWAY:
        return
    _believe(zip(names, answers, strict=True))


def is_open(provider: str) -> bool:
    """True while `provider` is taken out, its probes included; asking takes no probe. False without Redis."""
    try:
        return int(client().hget(_PREFIX + provider, "opened") or 0) > 0
    except REDIS_AWAY:
        return False


def reset(provider: str) -> None:
    """Forget what is known about `provider` (after an operator has mended it)."""
    _up_until.pop(provider, None)
    client().delete(_PREFIX + provider, _PREFIX + provider + ":probe")


BELIEVED_SECONDS = 0.2
_up_until: dict[str, float] = {}
_good = Tally()


def forget() -> None:
    """Forget what this process believes and has not told yet (tests, and after a fork)."""
    _up_until.clear()
    _good.clear()


def _asked(names: Sequence[str]) -> Standing:
    if _believed_up(names):
        return Standing(dict.fromkeys(names, Health.UP))
    try:
        found = script(_SCRIPT)(keys=[_PREFIX + name for name in names], args=["ask"])
    except REDIS_AWAY:
        return Standing(dict.fromkeys(names, Health.UP))
    _believe(zip(names, found, strict=True))
    return Standing({name: Health(answer.decode()) for name, answer in zip(names, found, strict=True)})


def _believed_up(names: Iterable[str]) -> bool:
    now = time.monotonic()
    return all(_up_until.get(name, 0.0) > now for name in names)


def _believe(answers: Iterable[tuple[str, bytes]]) -> None:
    for name, answer in answers:
        if answer == b"up":
            _up_until[name] = time.monotonic() + BELIEVED_SECONDS
        else:
            _up_until.pop(name, None)


def _give_back(names: Collection[str]) -> None:
    if names:
        try:
            client().delete(*(f"{_PREFIX}{name}:probe" for name in names))
        except REDIS_AWAY:
            return
