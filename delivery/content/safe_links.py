"""Links that may stand in a message: http, https and mailto, nothing that runs or hides where it leads."""

import re
from functools import lru_cache

from core.errors import InvalidRequest
from delivery.signed_links import OwnLink

_PLAIN = r"[^\s<>\"'`{}|\\^\x00-\x20\x7f]"
_WEB = re.compile(
    rf"https?://(?:[\w-]+(?:\.[\w-]+)*\.?|\[[0-9a-f:.]+\])(?::\d{{1,5}})?(?:[/?#]{_PLAIN}*)?", re.IGNORECASE
)
"""Without `user@` before the host, which disguises where a link leads."""
_MAILTO = re.compile(rf"mailto:{_PLAIN}+", re.IGNORECASE)
_LONGEST = 2048


@lru_cache(maxsize=256)  # the same link stands in the HTML and the header of one mail
def _is_web(url: str) -> bool:
    return len(url) <= _LONGEST and _WEB.fullmatch(url) is not None


def web_link(field: str, url: str) -> str:
    """`url` when it is a plain http(s) address; InvalidRequest naming `field` for any other."""
    if isinstance(url, OwnLink) or _is_web(url):
        return url
    raise InvalidRequest(
        field, "must be an http(s) link without blanks or quotes, e.g. https://mingus.example/bills"
    )


def link(field: str, url: str) -> str:
    """`url` when it is http(s) or mailto; InvalidRequest naming `field` for any other (javascript:, data: …)."""
    if url[:7].lower() == "mailto:" and len(url) <= _LONGEST and _MAILTO.fullmatch(url):
        return url
    return web_link(field, url)
