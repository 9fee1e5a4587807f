"""Builders of the content tests: what one of our people gets, with defaults for everything that a test is not about."""

from datetime import UTC, datetime
from typing import Any

from core.vocabulary import Channel
from delivery.catalog import message_type
from delivery.content import Person, RenderRequest, render
from delivery.messages import RenderedMessage

LINKS = {
    "unsubscribe_url": "https://mingus.example/u/token",
    "preferences_url": "https://mingus.example/p/token",
}
POSTAL_ADDRESS = "MINGUS, 1 Mingus Way, Atlanta, GA 30303"
MAYA = Person(name="Maya Lopez", locale="en_US", time_zone="America/New_York")


def request_of(name: str, channel: Channel = Channel.EMAIL, **given: Any) -> RenderRequest:
    """A request for Maya; the payload is the catalog's example when none is given."""
    row = message_type(name)
    defaults: dict[str, Any] = {
        "message_type": row,
        "channel": channel,
        "payload": row.example,
        "person": MAYA,
        "now": datetime(2025, 1, 31, 12, tzinfo=UTC),
        "links": LINKS,
        "postal_address": POSTAL_ADDRESS,
    }
    return RenderRequest(**defaults | given)


def sms(name: str, **given: Any) -> RenderedMessage:
    """What Maya's phone shows."""
    return render(request_of(name, Channel.SMS, **given))


def mail(name: str, **given: Any) -> RenderedMessage:
    """What Maya's mail reader shows."""
    return render(request_of(name, Channel.EMAIL, **given))
