"""Everything that a batch is judged and rendered on, asked for in one question (`delivery.asking`)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection

from core.ids import read_id
from core.sealing import unseal
from core.values import value
from core.vocabulary import Channel, ConsentLevel, Purpose, Urgency
from delivery import budgets
from delivery.asking import Known, ask, clock, instant, octets
from delivery.catalog import MessageType, message_type
from delivery.channels.sms import ALWAYS_FOOTED
from delivery.intake import PAYLOAD_PLACE
from delivery.ledger import Claimed
from delivery.policies.base import ConsentState, Facts, PreferenceFacts, UserFacts

ADDRESS_PLACE = "contact_points.address"
NAME_PLACE = "users.name"
DAY, WEEK = timedelta(days=1), timedelta(days=7)

# A look into a dict instead of an enum's call: a tenth of the price, several times per message.
CHANNEL_OF = {str(each): each for each in Channel}
_PURPOSE_OF = {str(each): each for each in Purpose}
_LEVEL_OF = {str(each): each for each in ConsentLevel}


@value(frozen=True, slots=True, kw_only=True)
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


@value(frozen=True, slots=True, kw_only=True)
class PastAttempt:
    """What an earlier attempt of a notification came to."""

    channel: Channel
    provider: str
    outcome: str | None
    closes: str


@value(frozen=True, slots=True, kw_only=True)
class Work:
    """One claimed notification with its type and its open payload."""

    claimed: Claimed
    type: MessageType
    payload: Mapping[str, Any]

    @property
    def id(self) -> UUID:
        """The notification's id."""
        return self.claimed.id


@value(frozen=True, slots=True, kw_only=True)
class Batch:
    """The claimed work and all that is known about it."""

    work: Sequence[Work]
    facts: Facts
    contact_points: Mapping[tuple[str, Channel], ContactPoint]
    names_sealed: Mapping[str, bytes]
    past: Mapping[UUID, Sequence[PastAttempt]] = field(default_factory=dict)
    texted: AbstractSet[tuple[str, str]] = frozenset()
    """(user, message type) of programmes of which the person has had a text before: the first one tells how to stop."""

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
    types = {each.type.name: each.type for each in work}.values()
    known = ask(
        connection,
        users={each.user_id for each in claimed},
        channels={channel for row in types for channel in row.channels},
        purposes={row.purpose for row in types},
        capped={each.claimed.user_id for each in work if each.type.urgency is not Urgency.CRITICAL},
        tried=[each.id for each in claimed if each.fence > 1],
        since=now - WEEK,
        programmes=[
            row.name for row in types if row.allows(Channel.SMS) and row.purpose not in ALWAYS_FOOTED
        ],
    )
    return Batch(
        work=work,
        facts=_facts(known, now),
        contact_points=_contact_points(known),
        names_sealed={row["id"]: octets(row["name_sealed"]) for row in known["people"] if row["name_sealed"]},
        past=_past(known),
        texted={(row["user_id"], row["message_type"]) for row in known["texted"]},
    )


def load_facts(
    connection: Connection, users: Sequence[str], now: datetime
) -> tuple[Facts, dict[tuple[str, Channel], ContactPoint]]:
    """What policies judge on, and the contact points, of all channels and purposes."""
    known = ask(
        connection, users=users, channels=Channel, purposes=Purpose, capped=users, tried=(), since=now - WEEK
    )
    return _facts(known, now), _contact_points(known)


def consent_states(
    connection: Connection, users: Collection[str]
) -> dict[tuple[str, Channel, Purpose], ConsentState]:
    """The current consents of `users`, see `delivery.asking`; a withdrawal that is being completed counts already."""
    return _consents(
        ask(connection, users=users, channels=Channel, purposes=Purpose, capped=(), tried=(), since=None)
    )


def _facts(known: Known, now: datetime) -> Facts:
    week: dict[tuple[str, Any], list[datetime]] = defaultdict(list)
    recent: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for row in known["history"]:
        user, name, sent_at = row["user_id"], row["message_type"], datetime.fromisoformat(row["sent_at"])
        week[user, message_type(name).category].append(sent_at)
        if sent_at > now - DAY:
            recent[user, name].append(sent_at)
    return Facts(
        users={row["id"]: _person(row) for row in known["people"]},
        consents=_consents(known),
        preferences={(row["user_id"], row["category"], row["channel"]): _preference(row) for row in known["preferences"]},
        suppressed={
            (CHANNEL_OF[row["channel"]], octets(row["address_index"])): row["reason"] for row in known["suppressions"]
        },
        budgets=budgets.standings(now),
        recent_in_category=week,
        recent_sends=recent,
    )  # fmt: skip


def _consents(known: Known) -> dict[tuple[str, Channel, Purpose], ConsentState]:
    return {
        (row["user_id"], CHANNEL_OF[row["channel"]], _PURPOSE_OF[row["purpose"]]): ConsentState(
            consent_id=row["id"],
            granted=row["action"] == "grant",
            level=_LEVEL_OF[row["level"]],
            confirmed=row["confirmed"],
        )
        for row in known["consents"]
    }


def _person(row: Mapping[str, Any]) -> UserFacts:
    return UserFacts(
        user_id=row["id"], time_zone=row["time_zone"], state=row["state"], country=row["country"],
        locale=row["locale"], paused_until=instant(row["paused_until"]), quiet_from=clock(row["quiet_from"]),
        quiet_until=clock(row["quiet_until"]), erased=row["erased"],
    )  # fmt: skip


def _contact_points(known: Known) -> dict[tuple[str, Channel], ContactPoint]:
    return {
        (row["user_id"], channel): ContactPoint(
            id=read_id(row["id"]), channel=channel, address_sealed=octets(row["address_sealed"]),
            address_index=octets(row["address_index"]), country=row["country"], region=row["region"],
            zones=tuple(filter(None, row["zones"].split(","))), domain=row["domain"],
        )
        for row in known["points"]
        for channel in (CHANNEL_OF[row["channel"]],)
    }  # fmt: skip


def _preference(row: Mapping[str, Any]) -> PreferenceFacts:
    minimum = row["minimum_amount"]
    return PreferenceFacts(
        enabled=row["enabled"], minimum_amount=None if minimum is None else Decimal(minimum),
        paused_until=instant(row["paused_until"]), digest=row["digest"], weekly_cap=row["weekly_cap"],
        preferred_from=clock(row["preferred_from"]), preferred_until=clock(row["preferred_until"]),
    )  # fmt: skip


def _past(known: Known) -> dict[UUID, list[PastAttempt]]:
    past: dict[UUID, list[PastAttempt]] = defaultdict(list)
    for row in known["past"]:
        past[read_id(row["notification_id"])].append(
            PastAttempt(
                channel=CHANNEL_OF[row["channel"]], provider=row["provider"], outcome=row["outcome"],
                closes=row["closes"],
            )
        )  # fmt: skip
    return past
