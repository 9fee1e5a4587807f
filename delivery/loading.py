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

from core.sealing import unseal, unseal_bytes
from core.values import value
from core.vocabulary import Category, Channel, ConsentLevel, Purpose, Urgency
from delivery import budgets, ledger
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


@value(frozen=True, slots=True)
class ContactPoint:
    """A user's primary address on one channel; unsealed only for a message that is really sent."""

    id: str
    """As text, which the address is sealed with."""
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


@value(frozen=True, slots=True)
class PastAttempt:
    """What an earlier attempt of a notification came to."""

    channel: Channel
    provider: str
    outcome: str | None
    closes: str


@value(frozen=True, slots=True)
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
    """The batch of those of `claimed` that are still ours, judged and rendered from nothing else."""
    rows = {each.message_type: message_type(each.message_type) for each in claimed}.values()
    ledger.announce(connection)
    known = ask(
        connection,
        users={each.user_id for each in claimed},
        channels={channel for row in rows for channel in row.channels},
        purposes={row.purpose for row in rows},
        capped={
            each.user_id
            for each in claimed
            if message_type(each.message_type).urgency is not Urgency.CRITICAL
        },
        since=now - WEEK,
        programmes=[row.name for row in rows if row.allows(Channel.SMS) and row.purpose not in ALWAYS_FOOTED],
        claimed=claimed,
    )
    held = [claimed[place - 1] for place in sorted(known["held"])]
    return Batch(
        work=[
            Work(
                each,
                message_type(each.message_type),
                orjson.loads(unseal_bytes(each.payload_sealed, place=PAYLOAD_PLACE, row=each.id)),
            )
            for each in held
        ],
        facts=_facts(known, now),
        contact_points=_contact_points(known),
        names_sealed={row[0]: octets(row[-1]) for row in known["people"] if row[-1]},
        past=_past(connection, [each.id for each in held if each.fence > 1]),
        texted={(user_id, name) for user_id, name in known["texted"]},
    )


def load_facts(
    connection: Connection, users: Sequence[str], now: datetime
) -> tuple[Facts, dict[tuple[str, Channel], ContactPoint]]:
    """What policies judge on, and the contact points, of all channels and purposes."""
    known = ask(connection, users=users, channels=Channel, purposes=Purpose, capped=users, since=now - WEEK)
    return _facts(known, now), _contact_points(known)


def consent_states(
    connection: Connection, users: Collection[str]
) -> dict[tuple[str, Channel, Purpose], ConsentState]:
    """The current consents of `users`, see `delivery.asking`; a withdrawal that is being completed counts already."""
    return _consents(ask(connection, users=users, channels=Channel, purposes=Purpose))


def _facts(known: Known, now: datetime) -> Facts:
    week: dict[tuple[str, Any], list[datetime]] = defaultdict(list)
    recent: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for user, name, text in known["history"]:
        sent_at = datetime.fromisoformat(text)
        week[user, message_type(name).category].append(sent_at)
        if sent_at > now - DAY:
            recent[user, name].append(sent_at)
    return Facts(
        users=_people(known),
        consents=_consents(known),
        preferences=_preferences(known),
        suppressed={
            (CHANNEL_OF[channel], octets(index)): reason for channel, index, reason in known["suppressions"]
        },
        budgets=budgets.standings(now),
        recent_in_category=week,
        recent_sends=recent,
    )  # fmt: skip


# A row's values go into its fields in their order: named, they would cost three times as much, for each message.


def _consents(known: Known) -> dict[tuple[str, Channel, Purpose], ConsentState]:
    return {
        (user_id, CHANNEL_OF[channel], _PURPOSE_OF[purpose]): ConsentState(
            consent_id, granted, _LEVEL_OF[level], confirmed
        )
        for user_id, channel, purpose, consent_id, granted, level, confirmed in known["consents"]
    }


def _people(known: Known) -> dict[str, UserFacts]:
    return {
        user_id: UserFacts(
            user_id, time_zone, state, country, locale, instant(paused_until), clock(quiet_from), clock(quiet_until),
            erased,
        )
        for (
            user_id, time_zone, state, country, locale, paused_until, quiet_from, quiet_until, erased, _name,
        ) in known["people"]
    }  # fmt: skip


def _contact_points(known: Known) -> dict[tuple[str, Channel], ContactPoint]:
    return {
        (user_id, CHANNEL_OF[channel]): ContactPoint(
            row_id, CHANNEL_OF[channel], octets(address_sealed), octets(address_index), country, region,
            tuple(filter(None, zones.split(","))) if zones else (), domain,
        )
        for (
            user_id, channel, row_id, address_sealed, address_index, country, region, zones, domain,
        ) in known["points"]
    }  # fmt: skip


def _preferences(known: Known) -> dict[tuple[str, Category, Channel], PreferenceFacts]:
    return {
        (user_id, category, channel): PreferenceFacts(
            enabled, None if minimum is None else Decimal(minimum), instant(paused_until), digest, weekly_cap,
            clock(preferred_from), clock(preferred_until),
        )
        for (
            user_id, category, channel, enabled, minimum, paused_until, digest, weekly_cap, preferred_from,
            preferred_until,
        ) in known["preferences"]
    }  # fmt: skip


def _past(connection: Connection, tried: Sequence[UUID]) -> dict[UUID, list[PastAttempt]]:
    """Asked when the notifications are locked: a receipt may have ruled out a route a moment before."""
    past: dict[UUID, list[PastAttempt]] = defaultdict(list)
    if tried:
        for notification_id, channel, provider, outcome, closes in ledger.earlier_attempts(connection, tried):
            past[notification_id].append(PastAttempt(CHANNEL_OF[channel], provider, outcome, closes))
    return past
