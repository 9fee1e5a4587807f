"""Links that may stand in a message: http, https and mailto, nothing that runs or hides where it leads."""

import re
from urllib.parse import urlsplit

from core.errors import InvalidRequest

_WEB = re.compile(r"https?://[^\s<>\"'`{}|\\^\x00-\x20\x7f]+", re.IGNORECASE)
_MAILTO = re.compile(r"mailto:[^\s<>\"'`{}|\\^\x00-\x20\x7f]+", re.IGNORECASE)
_LONGEST = 2048


def web_link(field: str, url: str) -> str:
    """`url` when it is a plain http(s) address; InvalidRequest naming `field` for any other."""
    if len(url) <= _LONGEST and _WEB.fullmatch(url) and _has_plain_host(url):
        return url
    raise InvalidRequest(
        field, "must be an http(s) link without blanks or quotes, e.g. https://mingus.example/bills"
    )


def link(field: str, url: str) -> str:
    """`url` when it is http(s) or mailto; InvalidRequest naming `field` for any other (javascript:, data: …)."""
    return url if len(url) <= _LONGEST and _MAILTO.fullmatch(url) else web_link(field, url)


def _has_plain_host(url: str) -> bool:
    """False without a host, or with credentials before it, which disguise where a link leads."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and "@" not in parts.netloc
