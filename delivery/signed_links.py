"""Signed links in messages: they name a row, never a person, and open nothing without our signature."""

import base64
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from core.crypto import keyring
from core.errors import InvalidSignature
from core.settings import settings

LINK = "link"
"""Stands for a notification: unsubscribe and preferences."""
CONFIRM = "confirm"
"""Stands for a consent that waits for its confirmation."""

_PLAIN_ADDRESS = re.compile(
    r"https?://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::\d{1,5})?(?:/[A-Za-z0-9._~-]+)*", re.ASCII
)
"""Narrower than `web_link` of `content/safe_links.py`: nothing in it would be escaped in HTML either."""
_LONGEST_ADDRESS = 1000
_TOKEN = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{22})")


def token_for(row_id: UUID, *, purpose: str = LINK) -> str:
    """A URL-safe token that stands for one row: its id and our 128-bit signature, good for one purpose."""
    name = base64.urlsafe_b64encode(row_id.int.to_bytes(16)).decode()[:22]
    return f"{name}.{keyring().sign(name, purpose=purpose)}"


def row_of(token: str, *, purpose: str = LINK) -> UUID:
    """The row that a genuine token stands for; InvalidSignature for any other text."""
    found = _TOKEN.fullmatch(token)
    if found is None or not keyring().signed(found[1], found[2], purpose=purpose):
        raise InvalidSignature("this link was not made by us, or was changed")
    return UUID(bytes=base64.urlsafe_b64decode(found[1] + "=="))


def notification_of(token: str) -> UUID:
    """The notification that a genuine token stands for; InvalidSignature for any other text."""
    return row_of(token)


class OwnLink(str):
    """A link to our own web app on a plain address: wherever a link may stand it needs no look and no escaping."""

    __slots__ = ()


def links_for(notification_id: UUID) -> Mapping[str, str]:
    """The links that a message may carry: unsubscribe (RFC 8058, one click) and preferences."""
    return _Links(notification_id)


class _Links(Mapping[str, str]):
    """Signed when one of them is asked for: most texts carry none, and a signature costs 2 µs."""

    __slots__ = ("_notification_id", "_signed")

    def __init__(self, notification_id: UUID) -> None:
        self._notification_id = notification_id
        self._signed: dict[str, str] | None = None

    def _links(self) -> dict[str, str]:
        if self._signed is None:
            token = token_for(self._notification_id)
            base = settings().public_base_url
            kind = OwnLink if _is_plain(base) else str
            self._signed = {
                "unsubscribe_url": kind(f"{base}/u/{token}"),
                "preferences_url": kind(f"{base}/preferences/{token}"),
            }
        return self._signed

    def __getitem__(self, name: str) -> str:
        return self._links()[name]

    def get(self, name: str, default: Any = None, /) -> Any:
        """The link, or `default`: Mapping's own asks by way of an exception's handler, three calls deep."""
        return self._links().get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._links())

    def __len__(self) -> int:
        return len(self._links())


@lru_cache(maxsize=8)
def _is_plain(base: str) -> bool:
    return len(base) <= _LONGEST_ADDRESS and _PLAIN_ADDRESS.fullmatch(base) is not None
