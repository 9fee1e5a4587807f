"""The Message resource as Twilio words it (names and types of twilio-oai's `api.v2010.account.message`)."""

from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from sandbox.ledger import Entry
from sandbox.store import Record
from sandbox.twilio.magic import FAILURES

API_VERSION = "2010-04-01"
PRICE_PER_SEGMENT = Decimal("0.0075")
UNPRICED = frozenset({"accepted", "scheduled", "queued", "sending", "failed", "canceled"})
SENDER_OF_SERVICES = "+15005550006"
UNSENT = frozenset({"accepted", "scheduled"})  # of a Messaging Service: no sender chosen, no segments counted


def message_resource(record: Record) -> dict[str, Any]:
    """The resource in its present state."""
    entry = record.entry
    uri = f"/{API_VERSION}/Accounts/{entry['account_sid']}/Messages/{record.id}"
    unsent = record.status in UNSENT
    code = record.error_code
    return {
        "account_sid": entry["account_sid"],
        "api_version": API_VERSION,
        "body": "" if record.redacted else entry["body"],
        "date_created": format_datetime(record.created_at),
        "date_sent": format_datetime(record.sent_at) if record.sent_at else None,
        "date_updated": format_datetime(record.updated_at),
        "direction": entry["direction"],
        "error_code": code,
        "error_message": FAILURES[code].name if code in FAILURES else None,
        "from": None if unsent and not entry["from_given"] else entry["from"],
        "messaging_service_sid": entry["messaging_service_sid"],
        "num_media": str(len(entry["media"])),
        "num_segments": "0" if unsent else str(entry["num_segments"]),
        "price": price(record),
        "price_unit": "USD",
        "sid": record.id,
        "status": record.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": entry["to"],
        "uri": f"{uri}.json",
    }


def price(record: Record) -> str | None:
    """What the message cost, as a negative amount; nothing before it was sent."""
    if record.entry["direction"] == "inbound" or record.status in UNPRICED:
        return None
    return f"-{PRICE_PER_SEGMENT * record.entry['num_segments']:.5f}"


def account_resource(account_sid: str) -> Entry:
    """The Account resource, which clients fetch to check their credentials."""
    return {
        "sid": account_sid,
        "friendly_name": "Sandbox",
        "status": "active",
        "type": "Full",
        "owner_account_sid": account_sid,
        "uri": f"/{API_VERSION}/Accounts/{account_sid}.json",
    }
