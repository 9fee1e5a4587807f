"""What a person wishes: read as it stands, saved as a whole or not at all (`delivery.preference_form` reads it from a form)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from core.errors import UnknownUser
from core.statements import execute, insert_rows, rows
from core.vocabulary import Category, Channel, Urgency
from delivery.catalog import catalog
from delivery.policies.digest import gathers
from delivery.policies.places import zone_exists

WITH_AMOUNTS = frozenset({Category.SECURITY, Category.PAYMENTS})
"""Categories whose messages speak of an amount, so that a threshold means something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryWishes:
    """One category: its switches per channel, and what holds on all of them."""

    enabled: Mapping[Channel, bool]
    weekly_cap: int | None = None
    minimum_amount: Decimal | None = None
    digest: bool = False
    preferred_from: time | None = None
    preferred_until: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """All that a person wishes; `paused_until` is the first day on which messages come again, by their own clock."""

    time_zone: str = ""
    locale: str = "en_US"
    paused_until: date | None = None
    quiet_from: time | None = None
    quiet_until: time | None = None
    categories: Mapping[Category, CategoryWishes] = field(default_factory=dict)


@cache
def switches() -> Mapping[Category, tuple[Channel, ...]]:
    """Category → the channels that its message types may use."""
    return {
        category: tuple(
            channel
            for channel in Channel
            if any(row.category is category and row.allows(channel) for row in catalog().values())
        )
        for category in Category
    }


@cache
def offered() -> Mapping[Category, frozenset[str]]:
    """Category → the wishes that change anything for its message types: of cap, minimum, digest and hours."""
    types = {
        category: [row for row in catalog().values() if row.category is category] for category in Category
    }
    return {
        category: frozenset(
            wish
            for wish, holds in {
                "cap": any(row.urgency is not Urgency.CRITICAL for row in of_category),
                "minimum": category in WITH_AMOUNTS,
                "digest": any(gathers(row) for row in of_category),
                "hours": any(row.deferrable for row in of_category),
            }.items()
            if holds
        )
        for category, of_category in types.items()
    }


def read(connection: Connection, user_id: str) -> Wishes:
    """The wishes as they stand, with the defaults where nothing was said; UnknownUser."""
    found = rows(
        connection,
        "SELECT coalesce(time_zone, ''), locale, paused_until, quiet_from, quiet_until FROM users"
        " WHERE id = %s AND erased_at IS NULL",
        (user_id,),
    )
    if not found:
        raise UnknownUser("user_id", "there is no such user any more")
    zone, locale, paused_until, quiet_from, quiet_until = found[0]
    said = {
        (category, channel): wish
        for category, channel, *wish in rows(
            connection,
            "SELECT category, channel, enabled, weekly_cap, minimum_amount, digest, preferred_from, preferred_until"
            " FROM preferences WHERE user_id = %s ORDER BY updated_at",
            (user_id,),
        )
    }
    return Wishes(
        time_zone=zone,
        locale=locale,
        paused_until=paused_until.astimezone(zone_of(zone)).date() if paused_until else None,
        quiet_from=quiet_from,
        quiet_until=quiet_until,
        categories={category: _wishes(category, said) for category in Category},
    )


def save(connection: Connection, user_id: str, wishes: Wishes) -> None:
    """Put the wishes in the place of those that stand; in force for every claim after the commit."""
    zone = zone_of(wishes.time_zone)
    pause = wishes.paused_until and datetime.combine(wishes.paused_until, time(), tzinfo=zone)
    changed = execute(
        connection,
        "UPDATE users SET time_zone = NULLIF(%s, ''), locale = %s, paused_until = %s, quiet_from = %s, quiet_until = %s"
        " WHERE id = %s AND erased_at IS NULL",
        (wishes.time_zone, wishes.locale, pause, wishes.quiet_from, wishes.quiet_until, user_id),
    )
    if not changed:
        raise UnknownUser("user_id", "there is no such user any more")
    insert_rows(
        connection,
        "INSERT INTO preferences (user_id, category, channel, enabled, weekly_cap, minimum_amount, digest,"
        " preferred_from, preferred_until) VALUES %s ON CONFLICT (user_id, category, channel) DO UPDATE"
        " SET enabled = EXCLUDED.enabled, weekly_cap = EXCLUDED.weekly_cap, minimum_amount = EXCLUDED.minimum_amount,"
        " digest = EXCLUDED.digest, preferred_from = EXCLUDED.preferred_from,"
        " preferred_until = EXCLUDED.preferred_until, updated_at = now()",
        [
            (
                user_id, category, channel, enabled, wish.weekly_cap, wish.minimum_amount, wish.digest,
                wish.preferred_from, wish.preferred_until,
            )
            for category, wish in wishes.categories.items()
            for channel, enabled in wish.enabled.items()
        ],
    )  # fmt: skip


def _wishes(category: Category, said: Mapping[tuple[str, str], list[object]]) -> CategoryWishes:
    rows_of = {
        channel: said[category, channel] for channel in switches()[category] if (category, channel) in said
    }
    enabled = {
        channel: bool(rows_of[channel][0]) if channel in rows_of else True for channel in switches()[category]
    }
    if not rows_of:
        return CategoryWishes(enabled=enabled)
    _, cap, minimum, digest, preferred_from, preferred_until = next(iter(rows_of.values()))
    return CategoryWishes(
        enabled=enabled, weekly_cap=cap, minimum_amount=minimum, digest=digest, preferred_from=preferred_from,  # type: ignore[arg-type]  # columns of the row
        preferred_until=preferred_until,  # type: ignore[arg-type]
    )  # fmt: skip


def zone_of(name: str) -> tzinfo:
    """The person's clock; UTC where they have not said."""
    return ZoneInfo(name) if name and zone_exists(name) else UTC
