"""Open and closed time as sets of instants, exact on the nights when clocks change.

An instant is open when the wall clock that it shows is open; so an hour that happens twice is judged twice, and one
that does not happen opens nothing. Everything is computed per UTC day in whole seconds and cached: a batch of
thousands shares a few hundred days.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from delivery.policies.hours import ALL_DAY, DAY, Span, permitted, seconds

Interval = tuple[int, int]
"""Seconds since the epoch, half open."""

EPOCH_DAY = date(1970, 1, 1).toordinal()
HORIZON_DAYS = 14
LONGEST_SPREAD = timedelta(hours=2)


class LawHours(NamedTuple):
    """Open where every (zone, jurisdiction) permits writing."""

    clauses: tuple[tuple[str, str], ...]


class WallHours(NamedTuple):
    """Open where the wall clock of every zone shows a time in `spans`, every day alike."""

    zones: tuple[str, ...]
    spans: tuple[Span, ...]


Layer = LawHours | WallHours


def between(opens: time, closes: time) -> tuple[Span, ...]:
    """The spans from `opens` until `closes`, over midnight if need be; all day when they are the same."""
    first, last = seconds(opens), seconds(closes)
    if first == last:
        return ALL_DAY
    return ((first, last),) if first < last else ((0, last), (first, DAY))


def outside(quiet_from: time, quiet_until: time) -> tuple[Span, ...]:
    """The spans outside of quiet hours; all day when they begin as they end, for that wishes nothing."""
    return between(quiet_until, quiet_from)


def next_opening(layers: Sequence[Layer], after: datetime) -> Interval | None:
    """The first interval open in every layer that ends after `after` (it may have begun); None within two weeks."""
    instant = after.timestamp()
    for opening in _openings(layers, after.astimezone(UTC).date().toordinal() - EPOCH_DAY):
        if opening[1] > instant:
            return opening
    return None


def spread(opening: Interval, jitter: float, before: datetime) -> datetime:
    """The instant in `opening` at which a message with this jitter (in [0, 1)) goes: never all at the first second.

    Over two hours, or the opening, or the time until `before`, whichever is shortest.
    """
    start = datetime.fromtimestamp(opening[0], UTC)
    room = min(LONGEST_SPREAD, timedelta(seconds=opening[1] - opening[0]), before - start)
    return start + max(room, timedelta(0)) * jitter


def _openings(layers: Sequence[Layer], first_day: int) -> Iterator[Interval]:
    """All openings from a UTC day on, those that touch at midnight joined."""
    pending: Interval | None = None
    for day in range(first_day, first_day + HORIZON_DAYS):
        for start, end in _meet([_intervals(layer, day) for layer in layers]):
            if pending is not None and pending[1] == start:
                pending = (pending[0], end)
                continue
            if pending is not None:
                yield pending
            pending = (start, end)
    if pending is not None:
        yield pending


@lru_cache(maxsize=65_536)
def _intervals(layer: Layer, day: int) -> tuple[Interval, ...]:
    if isinstance(layer, LawHours):
        return tuple(_meet([_law_intervals(zone, law, day) for zone, law in layer.clauses]))
    return tuple(_meet([_wall_intervals(zone, layer.spans, day) for zone in layer.zones]))


@lru_cache(maxsize=65_536)
def _law_intervals(zone: str, law: str, day: int) -> tuple[Interval, ...]:
    return tuple(
        piece
        for start, end, offset in _pieces(zone, day)
        for local_day in range((start + offset) // DAY, (end - 1 + offset) // DAY + 1)
        for piece in _clip(
            permitted(law, date.fromordinal(EPOCH_DAY + local_day)), local_day, start, end, offset
        )
    )


@lru_cache(maxsize=65_536)
def _wall_intervals(zone: str, spans: tuple[Span, ...], day: int) -> tuple[Interval, ...]:
    return tuple(
        piece
        for start, end, offset in _pieces(zone, day)
        for local_day in range((start + offset) // DAY, (end - 1 + offset) // DAY + 1)
        for piece in _clip(spans, local_day, start, end, offset)
    )


def _clip(spans: Sequence[Span], local_day: int, start: int, end: int, offset: int) -> Iterator[Interval]:
    midnight = local_day * DAY - offset
    for opens, closes in spans:
        low, high = max(midnight + opens, start), min(midnight + closes, end)
        if low < high:
            yield low, high


@lru_cache(maxsize=65_536)
def _pieces(zone: str, day: int) -> tuple[tuple[int, int, int], ...]:
    """A UTC day cut where the zone's offset changes: (start, end, offset), seconds."""
    info = ZoneInfo(zone)
    marks = range(day * DAY, (day + 1) * DAY + 1, DAY // 8)
    cuts = [
        _change(info, low, high) for low, high in pairwise(marks) if _offset(info, low) != _offset(info, high)
    ]
    edges = [day * DAY, *cuts, (day + 1) * DAY]
    return tuple((low, high, _offset(info, low)) for low, high in pairwise(edges) if low < high)


def _change(info: ZoneInfo, low: int, high: int) -> int:
    """The first second after `low` at which the offset is no longer the one at `low`."""
    before = _offset(info, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(info, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _offset(info: ZoneInfo, instant: int) -> int:
    shift = datetime.fromtimestamp(instant, info).utcoffset()
    assert shift is not None
    return int(shift.total_seconds())


def _meet(lists: Sequence[Sequence[Interval]]) -> list[Interval]:
    """The intersection of sorted interval lists."""
    met = list(lists[0])
    for other in lists[1:]:
        met = [(max(a, c), min(b, d)) for a, b in met for c, d in other if max(a, c) < min(b, d)]
    return met
