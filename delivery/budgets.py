"""What may be spent per UTC day and month, of all channels or one: how things stand, alarms, and the policy's facts.

`MINGUS_BUDGETS=day=50,month=900,sms.day=40`. At 50, 80, 95 and 100 % operators are told once per period; at 100 %
what is not critical waits for the next period (`delivery.policies.budget`). Standings are read from the running
totals and kept for a second per process: what several workers hand over within that second may go over the bound.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from core.database import transaction
from core.redis import REDIS_AWAY
from core.settings import settings
from core.statements import rows
from core.vocabulary import Channel
from delivery import alarms, counters
from delivery.alarms import Raised

log = logging.getLogger(__name__)

ALARM_AT = (50, 80, 95, 100)
"""Percent of a budget at which operators are told."""
FRESH_SECONDS = 1.0
FRESH_WITHOUT_REDIS = 10.0
"""SQL is asked for the sums then, which costs more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One budget in its present period: USD allowed and spent; `until` is when the next period begins."""

    name: str
    channel: Channel | None
    begins: date
    until: datetime
    limit: Decimal
    spent: Decimal

    def covers(self, channel: Channel) -> bool:
        """Whether spending on `channel` counts against it."""
        return self.channel is None or self.channel is channel

    @property
    def percent(self) -> Decimal:
        """How much of it is spent; 100 for a budget of nothing."""
        return 100 * self.spent / self.limit if self.limit else Decimal(100)


_kept: tuple[float, Mapping[str, Decimal], tuple[Standing, ...]] | None = None


def standings(now: datetime) -> Sequence[Standing]:
    """How every budget of the settings stands, at most a second old; empty when none is set."""
    global _kept  # noqa: PLW0603  one answer per process and second is the point
    budgets = settings().budgets
    if not budgets:
        return ()
    if _kept is None or _kept[0] < time.monotonic() or _kept[1] is not budgets:
        found, fresh_for = _standings(budgets, now)
        _kept = (time.monotonic() + fresh_for, budgets, found)
    return _kept[2]


def watch(now: datetime) -> list[Standing]:
    """Tell operators once about each mark that a budget has passed in its period; the standings, newly read."""
    if not settings().budgets:
        return []
    found, _ = _standings(settings().budgets, now)
    passed = [
        Raised(
            f"{each.name} {each.begins} {mark} %",
            f"{mark} % of the budget {each.name} of {each.limit} USD is spent.",
            {"limit_usd": str(each.limit), "spent_usd": str(each.spent), "until": each.until.isoformat()},
        )
        for each in found
        for mark in ALARM_AT
        if each.percent >= mark
    ]
    with transaction() as connection:
        alarms.settle(connection, "budget", passed, now=now)
    return list(found)


def _standings(budgets: Mapping[str, Decimal], now: datetime) -> tuple[tuple[Standing, ...], float]:
    today = now.astimezone(UTC).date()
    periods = {name: _period(name, today) for name in budgets}
    spent, fresh_for = _spent(min(first for first, _ in periods.values()), today)
    return tuple(
        Standing(
            name=name,
            channel=channel,
            begins=first,
            until=datetime(after.year, after.month, after.day, tzinfo=UTC),
            limit=limit,
            spent=sum(
                (
                    amount
                    for day, amounts in spent.items()
                    if day >= first
                    for carried_by, amount in amounts.items()
                    if channel is None or carried_by == channel
                ),
                Decimal(0),
            ),
        )
        for name, limit in budgets.items()
        for (first, after), channel in ((periods[name], _channel(name)),)
    ), fresh_for


def _channel(name: str) -> Channel | None:
    channel, dot, _ = name.partition(".")
    return Channel(channel) if dot else None


def _period(name: str, today: date) -> tuple[date, date]:
    """(first day, first day of the next period)."""
    if name.endswith("day"):
        return today, today + timedelta(days=1)
    first = today.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _spent(first: date, today: date) -> tuple[dict[date, Mapping[str, Decimal]], float]:
    """(day → channel → USD, for how many seconds that may be believed); partial totals are rebuilt first."""
    days = [first + timedelta(days=n) for n in range((today - first).days + 1)]
    try:
        found = counters.spent_by_channel(days)
        if partial := [day for day, amounts in found.items() if amounts is None]:
            for day in partial:
                with transaction() as connection:
                    counters.rebuild(connection, day)
            log.warning("counters_rebuilt", extra={"days": len(partial)})
            found = counters.spent_by_channel(days)
        return {day: amounts or {} for day, amounts in found.items()}, FRESH_SECONDS
    except REDIS_AWAY:
        return _spent_in_sql(first, today), FRESH_WITHOUT_REDIS


def _spent_in_sql(first: date, today: date) -> dict[date, Mapping[str, Decimal]]:
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT (at AT TIME ZONE 'UTC')::date, channel, sum(price) FROM delivery_events"
            " WHERE at >= %s AND at < %s AND price IS NOT NULL GROUP BY 1, 2",
            (
                datetime(first.year, first.month, first.day, tzinfo=UTC),
                datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(days=1),
            ),
        )
    return {
        each: {channel: amount for day, channel, amount in found if day == each}
        for each in {day for day, _, _ in found}
    }
