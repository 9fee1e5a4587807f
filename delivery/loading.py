"""Everything that a batch is judged and rendered on, read in a handful of set queries."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection

from core.database import rows
from core.models import unseal
from core.vocabulary import Channel, ConsentLevel, LawfulBasis, Purpose, Urgency
from delivery import budgets
from delivery.catalog import MessageType, message_type
from delivery.intake import PAYLOAD_PLACE
from delivery.ledger import Claimed
from delivery.policies.base import ConsentState, Facts, PreferenceFacts, UserFacts

ADDRESS_PLACE = "contact_points.address"
NAME_PLACE = "users.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPoint:
    """A user's primary address on one channel; unsealed only for a message that is really sent."""

    id: UUID
    channel: Channel
    address_sealed: bytes
    address_index: bytes
    country: str
    region: str
    zones: tuple[str, ...]
    domain: str

    def address(self) -> str:
        """The plain address."""
        return unseal(self.address_sealed, place=ADDRESS_PLACE, row=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAttempt:
    """What an earlier attempt of a notification came to."""

    channel: Channel
    provider: str
    outcome: str | None
    closes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One claimed notification with its type and its open payload."""

    claimed: Claimed
    type: MessageType
    payload: Mapping[str, Any]

    @property
    def id(self) -> UUID:
        """The notification's id."""
        return self.claimed.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The claimed work and all that is known about it."""

    work: Sequence[Work]
    facts: Facts
    contact_points: Mapping[tuple[str, Channel], ContactPoint]
    names_sealed: Mapping[str, bytes]
    past: Mapping[UUID, Sequence[PastAttempt]] = field(default_factory=dict)

    def name_of(self, user_id: str) -> str:
        """The person's name, empty when unknown."""
        sealed = self.names_sealed.get(user_id)
        return unseal(sealed, place=NAME_PLACE, row=user_id) if sealed is not None else ""


def load(connection: Connection, claimed: Sequence[Claimed], now: datetime) -> Batch:
    """The batch of `claimed`, judged and rendered from nothing else."""
    work = [
        Work(
            claimed=each,
            type=message_type(each.message_type),
            payload=orjson.loads(unseal(each.payload_sealed, place=PAYLOAD_PLACE, row=each.id)),
        )
        for each in claimed
    ]
    users = list({each.user_id for each in claimed})
    capped = {each.claimed.user_id for each in work if each.type.urgency is not Urgency.CRITICAL}
    facts, contact_points = load_facts(connection, users, now, capped=capped)
    return Batch(
        work=work,
        facts=facts,
        contact_points=contact_points,
        names_sealed=_names(connection, users),
        past=_past(connection, [each.id for each in claimed if each.fence > 1]),
    )


def load_facts(
    connection: Connection, users: Sequence[str], now: datetime, *, capped: Collection[str] | None = None
) -> tuple[Facts, dict[tuple[str, Channel], ContactPoint]]:
    """What policies judge on, and the contact points; the history of sends only for `capped` users (default all)."""
    contact_points = _contact_points(connection, users)
    with_history = users if capped is None else capped
    facts = Facts(
        users=_people(connection, users),
        consents=consent_states(connection, users),
        preferences=_preferences(connection, users),
        suppressed=_suppressed(connection, contact_points.values()),
        budgets=budgets.standings(now),
        **(_history(connection, with_history, now) if with_history else {}),
    )
    return facts, contact_points


def consent_states(
    connection: Connection, users: Collection[str]
) -> dict[tuple[str, Channel, Purpose], ConsentState]:
    """The current consents of `users`: the latest row of the ledger per channel and purpose.

    A withdrawal that is being completed (`delivery.opt_out`) counts already.
    """
    found = rows(
        connection,
        "SELECT DISTINCT ON (user_id, channel, purpose) * FROM ("
        "SELECT user_id, channel, purpose, id, action, level, lawful_basis, confirmed, at FROM consents"
        " WHERE user_id = ANY(%(users)s) UNION ALL"
        " SELECT user_id, channel, purpose, id, 'withdraw', 'none', 'consent', true, now() FROM pending_withdrawals"
        " WHERE user_id = ANY(%(users)s)) AS said ORDER BY user_id, channel, purpose, at DESC, id DESC",
        {"users": list(users)},
    )
    return {
        (user, Channel(channel), Purpose(purpose)): ConsentState(
            consent_id=consent_id,
            granted=action == "grant",
            level=ConsentLevel(level),
            lawful_basis=LawfulBasis(basis),
            confirmed=confirmed,
            at=at,
        )
        for user, channel, purpose, consent_id, action, level, basis, confirmed, at in found
    }


def _people(connection: Connection, users: Sequence[str]) -> dict[str, UserFacts]:
    found = rows(
        connection,
        "SELECT id, time_zone, state, country, locale, paused_until, quiet_from, quiet_until, erased_at IS NOT NULL"
        " FROM users WHERE id = ANY(%s)",
        (list(users),),
    )
    return {
        r[0]: UserFacts(
            user_id=r[0], time_zone=r[1], state=r[2], country=r[3], locale=r[4], paused_until=r[5], quiet_from=r[6],
            quiet_until=r[7], erased=r[8],
        )
        for r in found
    }  # fmt: skip


def _names(connection: Connection, users: Sequence[str]) -> dict[str, bytes]:
    found = rows(
        connection,
        "SELECT id, name_sealed FROM users WHERE id = ANY(%s) AND name_sealed IS NOT NULL",
        (list(users),),
    )
    return {row[0]: row[1] for row in found}


def _contact_points(connection: Connection, users: Sequence[str]) -> dict[tuple[str, Channel], ContactPoint]:
    found = rows(
        connection,
        "SELECT id, user_id, channel, address_sealed, address_index, country, region, zones, domain"
        " FROM contact_points WHERE user_id = ANY(%s) AND is_primary ORDER BY created_at",
        (list(users),),
    )
    return {
        (r[1], Channel(r[2])): ContactPoint(
            id=r[0], channel=Channel(r[2]), address_sealed=r[3], address_index=bytes(r[4]), country=r[5], region=r[6],
            zones=tuple(filter(None, r[7].split(","))), domain=r[8],
        )
        for r in found
    }  # fmt: skip


def _preferences(connection: Connection, users: Sequence[str]) -> dict[tuple[str, Any, Any], PreferenceFacts]:
    found = rows(
        connection,
        "SELECT user_id, category, channel, enabled, minimum_amount, paused_until, digest, weekly_cap, preferred_from,"
        " preferred_until FROM preferences WHERE user_id = ANY(%s)",
        (list(users),),
    )
    return {
        (r[0], r[1], r[2]): PreferenceFacts(
            enabled=r[3], minimum_amount=r[4], paused_until=r[5], digest=r[6], weekly_cap=r[7], preferred_from=r[8],
            preferred_until=r[9],
        )
        for r in found
    }  # fmt: skip


def _suppressed(connection: Connection, points: Collection[ContactPoint]) -> dict[tuple[Channel, bytes], str]:
    found = rows(
        connection,
        "SELECT channel, address_index, reason FROM suppressions WHERE address_index = ANY(%s) AND score >= 1"
        " AND (until IS NULL OR until > now())",
        ([each.address_index for each in points],),
    )
    return {(Channel(channel), bytes(index)): reason for channel, index, reason in found}


def _history(connection: Connection, users: Collection[str], now: datetime) -> dict[str, Any]:
    found = rows(
        connection,
        "SELECT user_id, message_type, sent_at FROM notifications WHERE user_id = ANY(%s) AND sent_at > %s"
        " ORDER BY sent_at",
        (list(set(users)), now - timedelta(days=7)),
    )
    week: dict[tuple[str, Any], list[datetime]] = defaultdict(list)
    recent: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for user, name, sent_at in found:
        week[user, message_type(name).category].append(sent_at)
        if sent_at > now - timedelta(days=1):
            recent[user, name].append(sent_at)
    return {
        "recent_in_category": week,
        "sent_7d": {key: len(instants) for key, instants in week.items()},
        "recent_sends": recent,
        "sent_24h": {key: len(instants) for key, instants in recent.items()},
    }


def _past(connection: Connection, ids: Collection[UUID]) -> dict[UUID, list[PastAttempt]]:
    past: dict[UUID, list[PastAttempt]] = defaultdict(list)
    if not ids:
        return past
    for notification_id, channel, provider, outcome, closes in rows(
        connection,
        "SELECT notification_id, channel, provider, outcome, closes FROM attempts"
        " WHERE notification_id = ANY(%s::uuid[]) ORDER BY id",
        ([str(each) for each in ids],),
    ):
        past[notification_id].append(
            PastAttempt(channel=Channel(channel), provider=provider, outcome=outcome, closes=closes)
        )
    return past
