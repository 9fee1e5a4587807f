"""Twilio's webhooks and message resources in our words (twilio.com/docs/usage/security, …/track-outbound-message-status)."""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from twilio.request_validator import HMAC_SHA1, RequestValidator, get_signature_algorithm
from twilio.rest.api.v2010.account.message import MessageInstance

from core.errors import InvalidRequest, InvalidSignature
from core.vocabulary import EventKind
from delivery.messages import DeliveryEvent
from delivery.providers.base import ProviderRecord, RawCallback
from delivery.providers.twilio_codes import CODES, event_kind, retries

PROVIDER = "twilio"
_MOST_FIELDS = 200


def event(callback: RawCallback, tokens: Sequence[str], received_at: datetime) -> DeliveryEvent:
    """The event of a callback signed with one of `tokens`; Twilio's callbacks carry no time, so it is `received_at`.

    InvalidSignature for a missing or wrong signature, InvalidRequest for a body that is no form or lacks its id.
    """
    form = _form(callback.body)
    _verify(callback, form, tokens)
    status = form.get("MessageStatus") or form.get("SmsStatus") or ""
    reference = form.get("MessageSid") or form.get("SmsSid") or ""
    if not reference:
        raise InvalidRequest("MessageSid", "a Twilio callback names its message")
    if "MessageStatus" not in form and event_kind(status, "") is EventKind.RECEIVED:
        return _inbound(form, reference, received_at)
    code = form.get("ErrorCode", "")
    return DeliveryEvent(
        provider=PROVIDER,
        kind=event_kind(status, code),
        event_key=f"{reference}:{status}",
        at=received_at,
        reference=reference,
        attempt_id=_attempt_id(callback.url),
        address=form.get("To", ""),
        raw=form,
        **_meaning(code),
    )


def of_message(message: MessageInstance, now: datetime) -> DeliveryEvent:
    """The present status of a message resource, as if it had been called back."""
    status, code = message.status or "", str(message.error_code or "")
    return DeliveryEvent(
        provider=PROVIDER,
        kind=event_kind(status, code),
        event_key=f"{message.sid}:{status}",
        at=_utc(message.date_updated) or now,
        reference=message.sid or "",
        address=message.to or "",
        price=_price(message.price, message.price_unit),
        units=units(message.num_segments),
        raw={"status": status, "error_code": code, "price": message.price, "price_unit": message.price_unit},
        **_meaning(code),
    )


def record(message: MessageInstance, now: datetime) -> ProviderRecord:
    """A line of Twilio's list."""
    return ProviderRecord(
        reference=message.sid or "",
        address=message.to or "",
        status_event=of_message(message, now),
        created_at=_utc(message.date_created) or _utc(message.date_sent) or now,
        price=_price(message.price, message.price_unit),
        units=units(message.num_segments),
        body=message.body or "",
    )


def units(num_segments: object) -> int | None:
    """Segments; None while Twilio does not know them ("0" until a Messaging Service has chosen a sender)."""
    text = str(num_segments or "")
    return int(text) or None if text.isdecimal() else None


def _meaning(code: str) -> dict[str, Any]:
    """What our table says of the code of a message that was accepted and did not arrive."""
    row = CODES.get(code)
    if row is None:
        return {"code": code}
    return {
        "code": code,
        "error_class": row.error_class,
        "suppress_address": row.suppress_address,
        "revoke_consent": row.revoke_consent,
        "retries": retries(code),
        "retry_after": row.retry_after,
        "misconfigured": row.misconfigured,
    }


def _inbound(form: Mapping[str, str], reference: str, received_at: datetime) -> DeliveryEvent:
    return DeliveryEvent(
        provider=PROVIDER,
        kind=EventKind.RECEIVED,
        event_key=f"{reference}:received",
        at=received_at,
        reference=reference,
        address=form.get("From", ""),
        text=form.get("Body", ""),
        # Advanced Opt-Out has judged the text and told the person already: we only have to obey.
        revoke_consent=form.get("OptOutType") == "STOP",
        raw=form,
    )


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise InvalidRequest("body", "must be an application/x-www-form-urlencoded form in UTF-8") from error
    return dict(pairs)


def _verify(callback: RawCallback, form: Mapping[str, str], tokens: Sequence[str]) -> None:
    signature = callback.headers.get("x-twilio-signature")
    if not signature:
        raise InvalidSignature("no X-Twilio-Signature header")
    algorithm = get_signature_algorithm(callback.headers.get("x-twilio-webhooks-signature-settings"))
    if not any(_signed_with(token, callback.url, form, signature, algorithm) for token in tokens if token):
        raise InvalidSignature("not signed with a token of ours")


def _signed_with(token: str, url: str, form: Mapping[str, str], signature: str, algorithm: str) -> bool:
    """The usual signature of our own URL first, for a tenth of the price; else whatever the SDK's checker allows."""
    if algorithm == HMAC_SHA1:
        signed = url + "".join(name + form[name] for name in sorted(form))
        ours = b64encode(hmac.digest(token.encode(), signed.encode(), "sha1"))
        if hmac.compare_digest(ours, signature.encode()):
            return True
    return bool(RequestValidator(token).validate(url, form, signature, algorithm))


def _attempt_id(url: str) -> UUID | None:
    try:
        return UUID(urlsplit(url).path.rstrip("/").rpartition("/")[2])
    except ValueError:
        return None


def _price(text: str | None, unit: str | None) -> Decimal | None:
    """Twilio's prices are what it takes from our balance: negative strings, or nothing until settled.

    Our books are in USD: of an account that is billed in another currency the estimates stand.
    """
    if not text or (unit or "USD").upper() != "USD":
        return None
    try:
        return abs(Decimal(text))
    except InvalidOperation:
        return None


def _utc(at: Any) -> datetime | None:
    """The SDK leaves a time that it can't read as text, and marks those that it can with its own UTC."""
    if not isinstance(at, datetime):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
