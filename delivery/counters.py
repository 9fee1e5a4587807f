"""Running totals in Redis: delivery events and money per UTC day. A copy of SQL's sums, rebuilt from them when in doubt.

mingus:{counters}:2026-11-24:count          type:channel:kind → delivery events (`sent` counts hand-overs)
                            :cost:type      type → millionths of a USD; likewise :cost:channel and :cost:user
                            :whole          the snapshot that the day was last rebuilt from; without it, it is partial

Events are counted once, after the commit that wrote them. A kill in between or a lost Redis leaves a day short until
`rebuild`, which may run at any time: what commits meanwhile is counted neither twice nor not at all, because each
count carries its transaction's id and each rebuild the snapshot that it saw (`counters.lua`).
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import orjson
from sqlalchemy import Connection

from core.database import after_commit
from core.redis import REDIS_AWAY, client, script
from core.statements import execute, rows

log = logging.getLogger(__name__)

MILLION = Decimal(1_000_000)
KEPT = timedelta(days=40)
PARTS = ("count", "cost:type", "cost:channel", "cost:user")
COUNT, COST_TYPE, COST_CHANNEL, COST_USER = PARTS
COUNTED = "NOT (kind = 'sent' AND price IS NULL)"
"""A provider's own word that it has sent is no second hand-over: ours carries the price."""

_SCRIPT = Path(__file__).with_name("counters.lua")
_REBUILD_SECONDS = 120
_TRIES = 3
_FIELDS_AT_ONCE = 5000
_SUMS = f"""
SELECT pg_current_snapshot()::text, GROUPING(message_type, channel, kind, user_id), message_type, channel, kind,
       user_id, count(*), sum(price)
FROM delivery_events WHERE at >= %s AND at < %s AND {COUNTED}
GROUP BY GROUPING SETS ((message_type, channel, kind), (message_type), (channel), (user_id), ())
"""  # noqa: S608  constants of ours
_COUNTS, _BY_TYPE, _BY_CHANNEL, _BY_USER = 0b0001, 0b0111, 0b1011, 0b1110


class Countable(Protocol):
    """What a delivery event is counted by; `price` is USD, a correction may be negative."""

    @property
    def at(self) -> datetime: ...
    @property
    def message_type(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def user_id(self) -> str | None: ...
    @property
    def price(self) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class Totals:
    """A day's totals: delivery events by type:channel:kind, and USD by type and by channel."""

    events: Mapping[str, int]
    by_type: Mapping[str, Decimal]
    by_channel: Mapping[str, Decimal]

    @property
    def cost(self) -> Decimal:
        """USD of the whole day."""
        return sum(self.by_channel.values(), Decimal(0))


def count_after_commit(connection: Connection, events: Sequence[Countable], *, xid: int) -> None:
    """Count the events that transaction `xid` has written, once it has committed."""
    if events:
        after_commit(connection, lambda: count(events, xid=xid))


def count(events: Sequence[Countable], *, xid: int) -> None:
    """Add committed events to the totals; without Redis they are left to `rebuild`."""
    try:
        for day, sums in _sums_by_day(events).items():
            payload = orjson.dumps([[place, name, amount] for (place, name), amount in sums.items()])
            script(_SCRIPT)(keys=_keys(day), args=["count", _ttl(), xid, payload])
    except REDIS_AWAY:
        log.warning("counters_away", extra={"events": len(events)})


def rebuild(connection: Connection, day: date) -> bool:
    """Replace the totals of one UTC day by SQL's sums; False when Redis was lost under it each of three times.

    REDIS_AWAY is raised.
    """
    execute(connection, "SELECT pg_advisory_xact_lock(hashtext('mingus.counters'))")
    return any(_rebuild(connection, day) for _ in range(_TRIES))


def totals(day: date) -> Totals | None:
    """A day's totals; None when they are partial and need a `rebuild`. REDIS_AWAY is raised."""
    keys = _keys(day)
    with client().pipeline(transaction=True) as pipeline:
        pipeline.exists(keys[4])
        for key in keys[:3]:
            pipeline.hgetall(key)
        whole, events, by_type, by_channel = pipeline.execute()
    if not whole:
        return None
    return Totals({name.decode(): int(n) for name, n in events.items()}, _usd(by_type), _usd(by_channel))


def user_cost(user_id: str, day: date) -> Decimal:
    """USD spent on one person on that day, as far as counted. REDIS_AWAY is raised."""
    found = client().hget(_keys(day)[3], user_id)
    return Decimal(int(found or 0)) / MILLION


def spent_by_channel(days: Sequence[date]) -> dict[date, dict[str, Decimal] | None]:
    """Day → channel → USD, in one round trip; None for a day that is partial. REDIS_AWAY is raised."""
    with client().pipeline(transaction=True) as pipeline:
        for day in days:
            keys = _keys(day)
            pipeline.exists(keys[4])
            pipeline.hgetall(keys[2])
        answers = pipeline.execute()
    found = zip(answers[::2], answers[1::2], strict=True)
    return {day: _usd(costs) if whole else None for day, (whole, costs) in zip(days, found, strict=True)}


def _sums_by_day(events: Sequence[Countable]) -> dict[date, Counter[tuple[int, str]]]:
    """Day → (place of the hash, its field) → by how much. A batch's events differ in little else than their people."""
    sums: dict[date, Counter[tuple[int, str]]] = defaultdict(Counter)
    days = {at: at.astimezone(UTC).date() for at in {each.at for each in events}}
    alike = Counter((each.at, each.message_type, each.channel, each.kind, each.price) for each in events)
    for (at, message_type, channel, kind, price), number in alike.items():
        if kind == "sent" and price is None:
            continue
        of_day = sums[days[at]]
        of_day[1, f"{message_type}:{channel}:{kind}"] += number
        if price:
            of_day[2, message_type] += number * _micro(price)
            of_day[3, channel] += number * _micro(price)
    for each in events:
        if each.price:
            sums[days[each.at]][4, each.user_id or ""] += _micro(each.price)
    return sums


def _rebuild(connection: Connection, day: date) -> bool:
    redis, token, keys = client(), uuid4().hex, _keys(day)
    staged = [f"{key}:{token}" for key in keys[:4]]
    with redis.pipeline(transaction=True) as pipeline:
        pipeline.delete(keys[5])
        pipeline.rpush(keys[5], token)
        pipeline.expire(keys[5], _REBUILD_SECONDS)
        pipeline.execute()
    snapshot, sums = _sums(connection, day)
    for key, fields in zip(staged, sums, strict=True):
        names = list(fields)
        for start in range(0, len(names), _FIELDS_AT_ONCE):
            chunk: dict[Any, Any] = {name: fields[name] for name in names[start : start + _FIELDS_AT_ONCE]}
            redis.hset(key, mapping=chunk)
            redis.expire(key, _REBUILD_SECONDS)
    replaced = script(_SCRIPT)(keys=[*keys, *staged], args=["replace", _ttl(), snapshot, token])
    return bool(replaced)


def _sums(connection: Connection, day: date) -> tuple[str, tuple[dict[str, int], ...]]:
    """(snapshot, the four hashes) in one statement, so that both speak of the same instant."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    hashes: tuple[dict[str, int], ...] = ({}, {}, {}, {})
    snapshot = ""
    for seen, grouped, message_type, channel, kind, user_id, number, price in rows(
        connection, _SUMS, (begin, begin + timedelta(days=1))
    ):
        snapshot = seen
        if grouped == _COUNTS:
            hashes[0][f"{message_type}:{channel}:{kind}"] = number
            continue
        micro = _micro(price or Decimal(0))
        for place, level, name in (
            (1, _BY_TYPE, message_type), (2, _BY_CHANNEL, channel), (3, _BY_USER, user_id or ""),
        ):  # fmt: skip
            if grouped == level and price is not None:
                hashes[place][name] = hashes[place].get(name, 0) + micro
    return snapshot, hashes


def _keys(day: date) -> list[str]:
    return [f"mingus:{{counters}}:{day}:{part}" for part in (*PARTS, "whole", "journal")]


def _ttl() -> int:
    return int(KEPT.total_seconds())


@lru_cache(maxsize=1024)  # prices repeat
def _micro(price: Decimal) -> int:
    """Millionths, rounded as PostgreSQL rounds a numeric(12, 6)."""
    return int((price * MILLION).to_integral_value(ROUND_HALF_UP))


def _usd(fields: Mapping[bytes, bytes]) -> dict[str, Decimal]:
    return {name.decode(): Decimal(int(amount)) / MILLION for name, amount in fields.items() if int(amount)}
