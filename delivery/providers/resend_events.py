"""Resend's webhooks and mail resources in our words (resend.com/docs/webhooks; signed by Svix)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any
from uuid import UUID

import orjson
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from core.errors import InvalidRequest, InvalidSignature
from core.vocabulary import EventKind
from delivery.messages import DeliveryEvent
from delivery.providers.base import ProviderRecord, RawCallback
from delivery.providers.email_machines import is_machine
from delivery.providers.resend_codes import BOUNCES, ERROR_CLASSES, EVENTS, LAST_EVENTS, SUPPRESSING

PROVIDER = "resend"


def event(callback: RawCallback, secrets: Sequence[str]) -> DeliveryEvent:
    """The event of a callback signed with one of `secrets` (whsec_…) within 5 minutes of now.

    InvalidSignature for a missing, wrong or old signature, InvalidRequest for a body that is no event.
    """
    _verify(callback, secrets)
    try:
        payload = orjson.loads(callback.body)
        kind_name, data = payload["type"], payload["data"]
        at = _instant(payload["created_at"])
        if not isinstance(data, dict) or not isinstance(kind_name, str):
            raise InvalidRequest("data", "must be an object, and type a text")
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidRequest("body", "must be JSON with type, created_at and data") from error
    bounce = _mapping(data.get("bounce"))
    kind = EVENTS.get(kind_name, EventKind.UNRECOGNISED)
    if kind is EventKind.BOUNCED_HARD:
        kind = BOUNCES.get(str(bounce.get("type", "")).lower(), EventKind.BOUNCED_SOFT)
    seen = _mapping(data.get("click")) or _mapping(data.get("open"))
    return DeliveryEvent(
        provider=PROVIDER,
        kind=kind,
        event_key=callback.headers["svix-id"],
        at=at,
        reference=str(data.get("email_id") or ""),
        attempt_id=_attempt_id(data.get("tags")),
        code=_code(bounce, _mapping(data.get("failed")), _mapping(data.get("suppressed"))),
        error_class=ERROR_CLASSES.get(kind),
        is_machine=is_machine(str(seen.get("userAgent", ""))),
        address=_address(data, kind),
        text=str(data.get("subject") or "") if kind is EventKind.RECEIVED else "",
        suppress_address=kind in SUPPRESSING,
        revoke_consent=kind is EventKind.COMPLAINED,
        raw=payload,
    )


def of_mail(mail: Mapping[str, Any], now: datetime) -> DeliveryEvent:
    """The present status of a mail resource, as if it had been called back; its time is when we asked."""
    last = str(mail.get("last_event") or "queued")
    kind = LAST_EVENTS.get(last, EventKind.UNRECOGNISED)
    return DeliveryEvent(
        provider=PROVIDER,
        kind=kind,
        event_key=f"{mail['id']}:{last}",
        at=now,
        reference=str(mail["id"]),
        attempt_id=_attempt_id(mail.get("tags")),
        error_class=ERROR_CLASSES.get(kind),
        address=_first(mail.get("to")),
        raw={"last_event": last},
    )


def record(mail: Mapping[str, Any], now: datetime) -> ProviderRecord:
    """A line of Resend's list; KeyError or ValueError for one that is not as documented."""
    return ProviderRecord(
        reference=str(mail["id"]),
        address=_first(mail.get("to")),
        status_event=of_mail(mail, now),
        created_at=_instant(mail["created_at"]),
        attempt_id=_attempt_id(mail.get("tags")),
        units=1,
        body=str(mail.get("subject") or ""),
    )


def _verify(callback: RawCallback, secrets: Sequence[str]) -> None:
    """Svix signs as Standard Webhooks do, under header names of its own."""
    headers = {
        f"webhook-{part}": callback.headers.get(f"svix-{part}", "")
        for part in ("id", "timestamp", "signature")
    }
    for secret in secrets:
        try:
            Webhook(secret).verify(callback.body, headers, json_parse=False)
        except (
            WebhookVerificationError,
            ValueError,
        ):  # ValueError: its parser on a signature or body that is garbage
            continue
        return
    raise InvalidSignature("not signed by Resend within the last 5 minutes with a secret of ours")


def _attempt_id(tags: Any) -> UUID | None:
    """Webhooks carry tags as an object, the API as a list of name and value."""
    if isinstance(tags, list):
        tags = {each.get("name"): each.get("value") for each in tags if isinstance(each, dict)}
    try:
        return UUID(str(_mapping(tags)["attempt_id"]))
    except (KeyError, ValueError):
        return None


def _code(bounce: Mapping[str, Any], failed: Mapping[str, Any], suppressed: Mapping[str, Any]) -> str:
    if bounce:
        return ".".join(str(bounce[part]) for part in ("type", "subType") if bounce.get(part))[:80]
    return str(failed.get("reason") or suppressed.get("reason") or suppressed.get("type") or "")[:80]


def _address(data: Mapping[str, Any], kind: EventKind) -> str:
    if kind is EventKind.RECEIVED:
        return parseaddr(str(data.get("from") or ""))[1]
    return _first(data.get("to")) or str(data.get("email") or "")


def _first(value: Any) -> str:
    if isinstance(value, list):
        return str(value[0]) if value else ""
    return str(value or "")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
