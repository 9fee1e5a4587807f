"""Tokens across all workers: at most so many in any sliding minute, and a reserved instant for whoever must wait.

GCRA alone lets a full bucket and its refill meet in one window (almost twice the limit), so the spending is guarded by
an exact sliding window, and GCRA spaces those that wait: each gets its own later instant and keeps it until it comes
back. The whole batch is one Lua call on Redis's clock; see `throttle.lua`.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from core.redis import REDIS_AWAY, client, script
from core.values import value

SCRIPT = Path(__file__).with_name("throttle.lua")
KEY_PREFIX = "mingus:{throttle}:"
"""The braces keep all keys in one slot of a Redis cluster."""

LARGEST_CALL = 200
"""Requests per script run, so that no batch holds Redis up for more than a few milliseconds."""

AWAY_KEY = "mingus:limiter_away"
"""Redis hash: `passed` and `held` → requests answered without the limiter, added when Redis is back."""

logger = logging.getLogger(__name__)
_unreported: Counter[str] = Counter()


@value(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A limit: at most `limit` tokens in any half-open window of `seconds`, `reserve` of them for urgent requests."""

    key: str
    limit: int
    reserve: int = 0
    seconds: float = 60.0

    def __post_init__(self) -> None:
        """Refuses what no request could ever pass."""
        if self.limit < 1 or not 0 <= self.reserve < self.limit or self.seconds <= 0:
            raise ValueError(f"bucket {self.key}: limit ≥ 1, 0 ≤ reserve < limit and seconds > 0 are needed")


@value(frozen=True, slots=True)
class TokenRequest:
    """Tokens that `holder` (a notification's id) needs, all or none, within `before` seconds from now.

    A cost above a bucket's limit counts as the whole limit. Who must wait has the instant reserved under its
    holder's name: asking again at that instant spends it, asking earlier repeats the answer.
    """

    holder: str
    tokens: Sequence[tuple[Bucket, int]]
    before: float
    urgent: bool = False


@value(frozen=True, slots=True)
class TokenAnswer:
    """`wait` seconds until the reserved instant: 0.0 spent now, None when there is none in time.

    `redis_away` marks answers given without the limiter: urgent requests pass, the others' `wait` is only a pause.
    """

    wait: float | None
    redis_away: bool = False


SPENT = TokenAnswer(0.0)

Spender = Callable[[Sequence[TokenRequest]], Sequence[TokenAnswer]]

PAUSE_SECONDS = 30.0
"""How long the rest waits when Redis is away; the policy adds jitter."""


def spend(requests: Sequence[TokenRequest], *, at: float | None = None) -> list[TokenAnswer]:
    """Answer every request in order, by Redis's clock (`at`: epoch seconds in its place, for simulations)."""
    answers: list[TokenAnswer] = []
    for first in range(0, len(requests), LARGEST_CALL):
        chunk = requests[first : first + LARGEST_CALL]
        try:
            answers += _spend(chunk, at)
            _report_outage()
        except REDIS_AWAY as problem:
            counts = Counter("passed" if one.urgent else "held" for one in chunk)
            logger.warning("limiter_away", extra={"error": type(problem).__name__, "counts": dict(counts)})
            _unreported.update(counts)
            answers += [TokenAnswer(0.0 if one.urgent else PAUSE_SECONDS, redis_away=True) for one in chunk]
    return answers


def answered_without() -> dict[str, int]:
    """How many requests were `passed` (critical) and `held` (the rest) while Redis was away, since Redis began.

    Each process adds its own when it next reaches Redis; nothing while Redis is away.
    """
    try:
        found = client().hgetall(AWAY_KEY)
    except REDIS_AWAY:
        return {}
    return {name.decode() if isinstance(name, bytes) else name: int(number) for name, number in found.items()}


def _report_outage() -> None:
    for name in list(_unreported):
        number = _unreported.pop(name, 0)
        try:
            client().hincrby(AWAY_KEY, name, number)
        except REDIS_AWAY:
            _unreported[name] += number


def _spend(requests: Sequence[TokenRequest], at: float | None) -> list[TokenAnswer]:
    buckets = {bucket.key: bucket for one in requests for bucket, _ in one.tokens}
    numbers = {key: number for number, key in enumerate(buckets, start=1)}
    asked = [
        (
            one.holder,
            "u" if one.urgent else "n",
            int(one.before * 1e6),
            [(numbers[bucket.key], cost) for bucket, cost in one.tokens],
        )
        for one in requests
    ]
    keys = [f"{KEY_PREFIX}{key}:{part}" for key in buckets for part in ("grants", "book", "line")]
    limits = [(bucket.limit, bucket.reserve, int(bucket.seconds * 1e6)) for bucket in buckets.values()]
    now = "" if at is None else str(round(at * 1e6))
    waits = script(SCRIPT)(
        keys=keys, args=[now, orjson.dumps({"buckets": limits, "requests": asked})], client=client()
    )
    return [SPENT if wait == 0 else TokenAnswer(None if wait < 0 else wait / 1e6) for wait in waits]
