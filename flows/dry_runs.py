"""Dry runs: what a batch would cost and how its messages would look, without accepting any of them."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.errors import InvalidRequest
from core.settings import settings
from core.vocabulary import Channel
from delivery import costs
from delivery.catalog import message_type
from delivery.content import Person, RenderRequest, preview, validate_payload
from flows.audience import Recipient

STAND_IN = "Maya Example"
"""Examples stand in Prefect's database and in its UI: they are made for nobody's name."""
_LINKS = {
    "unsubscribe_url": "https://mingus.example/unsubscribe/example",
    "preferences_url": "https://mingus.example/preferences/example",
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One message as it would leave: USD, and how it reads when it was asked for."""

    cost: Decimal
    examples: list[dict[str, str]] = field(default_factory=list)


class DryRun:
    """Checks, prices and renders the drafts of one message type."""

    def __init__(self, name: str, now: datetime) -> None:
        self._type = message_type(name)
        self._now = now

    def of(self, payload: dict[str, Any], person: Recipient, *, example: bool) -> Trial | str:
        """The trial of a payload on the first channel that the person has; a reason when it would be refused."""
        channel = next(
            each for each in self._type.channels if self._type.allows(each) and each in person.channels
        )
        try:
            validate_payload(self._type, payload)
            if channel is Channel.EMAIL and not example:
                return Trial(self._price(channel))
            found = preview(self._request(payload, person, channel), price=self._price(channel))
        except InvalidRequest as error:
            return f"{type(error).__name__}: {error.field}"
        shown = {"channel": str(channel), "subject": found.message.subject, "text": found.message.body}
        return Trial(found.cost, [shown] if example else [])

    def _request(self, payload: dict[str, Any], person: Recipient, channel: Channel) -> RenderRequest:
        return RenderRequest(
            message_type=self._type,
            channel=channel,
            payload=payload,
            person=Person(name=STAND_IN, locale=person.locale, time_zone=person.time_zone),
            now=self._now,
            links=_LINKS,
            postal_address=settings().postal_address,
        )

    def _price(self, channel: Channel) -> Decimal:
        return costs.unit_price(channel, on=self._now.date())
