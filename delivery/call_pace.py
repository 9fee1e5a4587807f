"""How often a provider may be called: learned from its own answers, and kept by all workers together.

answer ─▶ Pace ─learn▶ mingus:pace:<provider> (Redis) ─▶ await_turn: one token per call, of one bucket for all workers

A batch is one call. What nobody has learned yet, or without Redis, is not held up: a call too many is answered with 429,
which is safe to repeat.
"""

import time
from dataclasses import dataclass

import orjson

from core.redis import REDIS_AWAY, client
from core.stopping import is_stopping
from delivery import throttle
from delivery.providers import provider
from delivery.providers.base import tells_pace
from delivery.throttle import Bucket, TokenRequest

KEY_PREFIX = "mingus:pace:"
KEPT_SECONDS = 3600
"""A pace that no answer has confirmed for this long is forgotten."""
TOLD_AGAIN_AFTER = 60.0
BELIEVED_SECONDS = 1.0
"""How long a process goes by what it last read."""
CRITICAL_SHARE = 5
"""One in so many calls is kept for critical messages."""
LONGEST_WAIT = 10.0
"""Seconds that a call waits for its turn before its messages are given back."""
_NAP = 1.0


@dataclass(frozen=True, slots=True)
class CallPace:
    """At most `limit` calls per `window` seconds."""

    limit: int
    window: float


_told: dict[str, tuple[float, CallPace]] = {}
_read: dict[str, tuple[float, CallPace | None]] = {}


def learn(name: str) -> None:
    """Write down for all workers what the provider has last said to this one."""
    carrier = provider(name)
    if not tells_pace(carrier) or carrier.pace is None:
        return
    said = CallPace(carrier.pace.limit, carrier.pace.window)
    at, before = _told.get(name, (0.0, None))
    if said == before and time.monotonic() - at < TOLD_AGAIN_AFTER:
        return
    try:
        client().set(KEY_PREFIX + name, orjson.dumps(said), ex=KEPT_SECONDS)
    except REDIS_AWAY:
        return
    _told[name] = (time.monotonic(), said)
    _read[name] = (time.monotonic(), said)


def known(name: str) -> CallPace | None:
    """What any worker has learned of the provider's pace; None when nobody has, or Redis is away."""
    at, found = _read.get(name, (0.0, None))
    if time.monotonic() - at < BELIEVED_SECONDS:
        return found
    try:
        text = client().get(KEY_PREFIX + name)
    except REDIS_AWAY:
        return None
    found = CallPace(**orjson.loads(text)) if text else None
    _read[name] = (time.monotonic(), found)
    return found


def await_turn(name: str, *, holder: str, urgent: bool, until: float) -> bool:
    """Wait until the provider may be called; False when that is not before `until` (time.monotonic()) or we stop.

    `holder` names the call: its place in the line is kept for it. Urgent ones go first.
    """
    if not tells_pace(provider(name)):
        return True
    until = min(until, time.monotonic() + LONGEST_WAIT)
    while (pace := known(name)) is not None:
        bucket = Bucket(
            key=f"calls:{name}", limit=pace.limit, reserve=pace.limit // CRITICAL_SHARE, seconds=pace.window
        )
        left = until - time.monotonic()
        if left <= 0 or is_stopping():
            return False
        (answer,) = throttle.spend(
            [TokenRequest(holder=holder, tokens=[(bucket, 1)], urgent=urgent, before=left)]
        )
        if answer.redis_away or answer.wait == 0:
            return True
        if answer.wait is None:
            return False
        time.sleep(min(answer.wait, left, _NAP))
    return True


def forget() -> None:
    """Forget what this process believes (tests, and after a fork)."""
    _told.clear()
    _read.clear()
