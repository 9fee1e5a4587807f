"""The permitted hours by law: rows of `quiet_hours.csv`, one per jurisdiction and kind of day.

A row says when writing is permitted (`opens` ≤ local time < `closes`; both empty: closed all day), on which days
(`mon-sat`, `sun`, `holiday`), since and until when, and whose word that is. A change of law is a change of a row.
"""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from functools import cache, lru_cache
from pathlib import Path

from core.errors import SettingsError

FILE = Path(__file__).with_name("quiet_hours.csv")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = "holiday"
DAY = 86_400

Span = tuple[int, int]
"""Seconds since local midnight, half open."""

ALL_DAY: tuple[Span, ...] = ((0, DAY),)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursRule:
    """One row: on `days` of `jurisdiction`, between the two dates, writing is permitted in `spans`."""

    jurisdiction: str
    days: frozenset[str]
    spans: tuple[Span, ...]
    effective_from: date
    effective_until: date | None
    source: str
    reviewer: str

    def in_force(self, day: date) -> bool:
        """Whether the row holds on `day`."""
        return self.effective_from <= day and (self.effective_until is None or day < self.effective_until)


@cache
def rules(file: Path = FILE) -> Mapping[str, Sequence[HoursRule]]:
    """Jurisdiction → its rows; SettingsError names the line of a broken one."""
    found: dict[str, list[HoursRule]] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            try:
                if None in row or None in row.values():
                    raise ValueError("eight columns are needed")
                rule = _rule(row)
            except (ValueError, KeyError) as problem:
                raise SettingsError(f"{file.name} line {number}: {problem}") from None
            found.setdefault(rule.jurisdiction, []).append(rule)
    return found


@cache
def digest(file: Path = FILE) -> str:
    """Eight characters that change with any row: part of the version recorded with verdicts."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:8]


@lru_cache(maxsize=4096)
def permitted(jurisdiction: str, day: date) -> tuple[Span, ...]:
    """The spans of local time in which `jurisdiction` permits writing on `day`; all day where it says nothing."""
    in_force = [rule for rule in rules().get(jurisdiction, ()) if rule.in_force(day)]
    for rule in in_force:
        if HOLIDAY in rule.days and day in _holidays(jurisdiction, day.year):
            return rule.spans
    weekday = WEEKDAYS[day.weekday()]
    for rule in in_force:
        if weekday in rule.days:
            return rule.spans
    return ALL_DAY


def seconds(at: time) -> int:
    """Seconds since midnight of a wall-clock time."""
    return at.hour * 3600 + at.minute * 60 + at.second


@cache
def _holidays(state: str, year: int) -> frozenset[date]:
    """The legal holidays of a US state; imported late, because only a few states ask."""
    import holidays

    return frozenset(holidays.country_holidays("US", subdiv=state, years=year))


def _rule(row: Mapping[str, str]) -> HoursRule:
    for column in ("jurisdiction", "days", "source", "reviewer"):
        if not row[column]:
            raise ValueError(f"{column} must be given")
    opens, closes = row["opens"], row["closes"]
    spans: tuple[Span, ...] = ()
    if opens or closes:
        spans = ((_clock(opens), _clock(closes)),)
        if spans[0][0] >= spans[0][1]:
            raise ValueError(f"opens {opens} is not before closes {closes}")
    return HoursRule(
        jurisdiction=row["jurisdiction"],
        days=frozenset(day for part in row["days"].split() for day in _days(part)),
        spans=spans,
        effective_from=date.fromisoformat(row["effective_from"]),
        effective_until=date.fromisoformat(row["effective_until"]) if row["effective_until"] else None,
        source=row["source"],
        reviewer=row["reviewer"],
    )


def _days(part: str) -> Sequence[str]:
    if part == HOLIDAY:
        return (HOLIDAY,)
    first, _, last = part.partition("-")
    span = WEEKDAYS[WEEKDAYS.index(first) : WEEKDAYS.index(last or first) + 1]
    if not span:
        raise ValueError(f"days {part}: the week goes from mon to sun")
    return span


def _clock(text: str) -> int:
    return DAY if text == "24:00" else seconds(time.fromisoformat(text))
