"""Named people and builders for the policy tests; every builder's defaults make a message that may be sent."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from core.ids import new_id
from core.vocabulary import Channel, ConsentLevel, Purpose
from delivery.catalog import message_type
from delivery.policies.base import Candidate, ConsentState, Facts, PreferenceFacts, UserFacts
from delivery.throttle import TokenAnswer, TokenRequest

SMS, EMAIL = Channel.SMS, Channel.EMAIL
NOON = datetime(2026, 3, 4, 17, 0, tzinfo=UTC)
"""A Wednesday, noon in New York: nobody's quiet hours on the mainland."""

NAMES = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


def consent_id(name: str) -> str:
    """The consent row of a person, the same in every test."""
    return str(uuid5(NAMES, name))


def person(name: str = "maya", **facts: Any) -> UserFacts:
    """A user in New York who wishes nothing special."""
    return UserFacts(
        **{"user_id": name, "time_zone": "America/New_York", "state": "NY", "country": "US"} | facts
    )


def message(
    to: str = "maya", type_name: str = "payment_reminder", channel: Channel = SMS, **facts: Any
) -> Candidate:
    """A fresh message with an address."""
    row = facts.pop("type", None) or message_type(type_name)
    created_at = facts.pop("created_at", NOON)
    given = {
        "notification_id": new_id(),
        "address_index": to.encode(),
        "expires_at": created_at + row.lifetime,
    }
    return Candidate(user_id=to, type=row, channel=channel, **given | facts)


def consent(name: str = "maya", **changes: Any) -> ConsentState:
    """A confirmed express-written consent, which suffices for everything."""
    state = ConsentState(
        consent_id=consent_id(name), granted=True, level=ConsentLevel.EXPRESS_WRITTEN, confirmed=True
    )
    return replace(state, **changes)


def facts(*people: UserFacts, consents: Mapping[Any, ConsentState] | None = None, **more: Any) -> Facts:
    """Facts about these people (Maya when none are given), who agreed to everything unless told otherwise."""
    users = {one.user_id: one for one in people or (person(),)}
    agreed = {
        (name, channel, purpose): consent(name)
        for name in users
        for channel in Channel
        for purpose in Purpose
    }
    given: dict[str, Any] = {"preferences": {}, "suppressed": {}} | more
    return Facts(users=users, consents=agreed if consents is None else consents, **given)


def wish(for_message: Candidate, **wishes: Any) -> dict[Any, PreferenceFacts]:
    """The preference of the message's user for its category on its channel."""
    key = (for_message.user_id, for_message.type.category, for_message.channel)
    return {key: PreferenceFacts(**wishes)}


def tokens_for_all(requests: list[TokenRequest]) -> list[TokenAnswer]:
    """A limiter that never says no."""
    return [TokenAnswer(0.0) for _ in requests]


def at(text: str) -> datetime:
    """An instant from its ISO text, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)
