"""Signed links in messages: they name a notification, never a person, and open nothing without our signature."""

import base64
from uuid import UUID

from core.crypto import keyring
from core.errors import InvalidSignature
from core.settings import settings

_PURPOSE = "link"


def token_for(notification_id: UUID) -> str:
    """A URL-safe token that stands for one notification: its id and our 128-bit signature."""
    name = base64.urlsafe_b64encode(notification_id.bytes).rstrip(b"=").decode()
    return f"{name}.{keyring().sign(name, purpose=_PURPOSE)}"


def notification_of(token: str) -> UUID:
    """The notification that a genuine token stands for; InvalidSignature for any other text."""
    name, _, signature = token.partition(".")
    if not keyring().signed(name, signature, purpose=_PURPOSE):
        raise InvalidSignature("this link was not made by us, or was changed")
    return UUID(bytes=base64.urlsafe_b64decode(name + "=="))


def links_for(notification_id: UUID) -> dict[str, str]:
    """The links that a message may carry: unsubscribe (RFC 8058, one click) and preferences."""
    token = token_for(notification_id)
    base = settings().public_base_url
    return {"unsubscribe_url": f"{base}/u/{token}", "preferences_url": f"{base}/preferences/{token}"}
