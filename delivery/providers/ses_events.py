"""SES's event records in our words (docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html)."""

from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from core.vocabulary import ErrorClass, EventKind
from delivery.messages import DeliveryEvent
from delivery.providers.email_machines import is_machine
from delivery.providers.sns_inbox import Envelope, instant

PROVIDER = "ses"

# record type → (our kind, the object that holds its details)
EVENTS: Mapping[str, tuple[EventKind, str]] = {
    "Send": (EventKind.SENT, "send"),
    "Delivery": (EventKind.DELIVERED, "delivery"),
    "DeliveryDelay": (EventKind.DEFERRED, "deliveryDelay"),
    "Bounce": (EventKind.BOUNCED_HARD, "bounce"),
    "Complaint": (EventKind.COMPLAINED, "complaint"),
    "Reject": (EventKind.FAILED, "reject"),
    "Rendering Failure": (EventKind.FAILED, "failure"),
    "Open": (EventKind.OPENED, "open"),
    "Click": (EventKind.CLICKED, "click"),
    "Subscription": (EventKind.UNSUBSCRIBED, "subscription"),
    "Received": (EventKind.RECEIVED, "receipt"),
}
BOUNCES: Mapping[str, EventKind] = {
    "Permanent": EventKind.BOUNCED_HARD,
    "Transient": EventKind.BOUNCED_SOFT,
    "Undetermined": EventKind.BOUNCED_SOFT,
}
ERROR_CLASSES: Mapping[EventKind, ErrorClass] = {
    EventKind.BOUNCED_HARD: ErrorClass.PERMANENT_ADDRESS,
    EventKind.BOUNCED_SOFT: ErrorClass.TRANSIENT_NETWORK,
    EventKind.COMPLAINED: ErrorClass.PERMANENT_CONSENT,
    EventKind.FAILED: ErrorClass.CONTENT_POLICY,
}
_SUPPRESSING = frozenset({EventKind.BOUNCED_HARD, EventKind.COMPLAINED})
_REVOKING = frozenset({EventKind.COMPLAINED, EventKind.UNSUBSCRIBED})


def event(envelope: Envelope) -> DeliveryEvent:
    """The envelope's record; UNRECOGNISED when it is none that we know."""
    record = envelope.message
    kind, place = EVENTS.get(_kind_name(record), (EventKind.UNRECOGNISED, ""))
    if kind is EventKind.UNRECOGNISED:
        return envelope.unrecognised(PROVIDER)
    mail, details = _mapping(record.get("mail")), _mapping(record.get(place))
    kind = _narrowed(kind, details)
    said_at = details.get("timestamp") or envelope.raw["Timestamp"]
    return DeliveryEvent(
        provider=PROVIDER,
        kind=kind,
        event_key=envelope.message_id,
        at=instant(said_at),
        reference=str(mail.get("messageId", "")),
        attempt_id=_attempt_id(mail),
        code=_code(details),
        error_class=ERROR_CLASSES.get(kind),
        is_machine=is_machine(str(details.get("userAgent", ""))),
        address=_address(kind, mail, details),
        suppress_address=kind in _SUPPRESSING,
        revoke_consent=kind in _REVOKING,
        raw=record,
    )


def _kind_name(record: Mapping[str, Any]) -> str:
    """Event publishing says eventType, the older feedback notifications notificationType."""
    return str(record.get("eventType") or record.get("notificationType") or "")


def _narrowed(kind: EventKind, details: Mapping[str, Any]) -> EventKind:
    if kind is EventKind.BOUNCED_HARD:
        return BOUNCES.get(str(details.get("bounceType")), EventKind.BOUNCED_SOFT)
    if kind is EventKind.COMPLAINED and details.get("complaintFeedbackType") == "not-spam":
        return (
            EventKind.UNRECOGNISED
        )  # somebody took the mail out of the spam folder: the opposite of a complaint
    if kind is EventKind.UNSUBSCRIBED:
        chosen = _mapping(details.get("newTopicPreferences"))
        return EventKind.UNSUBSCRIBED if chosen.get("unsubscribeAll") is True else EventKind.UNRECOGNISED
    return kind


def _attempt_id(mail: Mapping[str, Any]) -> UUID | None:
    try:
        return UUID(_first(_mapping(mail.get("tags")).get("attempt_id")))
    except ValueError:
        return None


def _code(details: Mapping[str, Any]) -> str:
    names = ("bounceType", "bounceSubType", "complaintFeedbackType", "delayType", "reason")
    return ".".join(str(details[name]) for name in names if details.get(name))[:80]


def _address(kind: EventKind, mail: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    if kind is EventKind.RECEIVED:
        return parseaddr(str(mail.get("source", "")))[1]
    for name in ("bouncedRecipients", "complainedRecipients", "delayedRecipients"):
        recipients = details.get(name)
        if isinstance(recipients, list) and recipients:
            return str(_mapping(recipients[0]).get("emailAddress", ""))
    return _first(mail.get("destination"))


def _first(value: Any) -> str:
    return str(value[0]) if isinstance(value, list) and value else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
