"""The Resend SDK's seam: its requests over our HTTP client, and what that raised unwrapped again."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
from resend.exceptions import NoContentError, ResendError
from resend.http_client import HTTPClient as SdkHttpClient

from core.settings import Settings
from delivery.providers.base import Pace
from delivery.providers.http import LONGEST_WAIT, HttpClient, Unreadable, WireFailure, json_object

Answer = TypeVar("Answer")
_WINDOW = re.compile(r"\bw=(\d+)")


class OurClient(SdkHttpClient):
    """The SDK's seam: its requests over our client, its answers checked before it parses them."""

    def __init__(self, settings: Settings) -> None:
        self._http = HttpClient(
            connect_timeout=settings.provider_connect_timeout, read_timeout=settings.provider_read_timeout
        )
        self.pace: Pace | None = None

    def request(  # noqa: PLR0917  (the SDK's signature)
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        json: object = None,
        files: Mapping[str, Any] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """A 2xx with a JSON object; Refused, Unreadable, Unanswered or NotWritten for anything else."""
        if files is not None or data is not None:
            raise ValueError("only JSON requests are made here")
        body = orjson.dumps(json) if json and method != "get" else b""
        reply = self._http.exchange(
            method.upper(), url, headers={**headers, "Content-Type": "application/json"}, body=body
        )
        self.pace = _pace(reply.headers) or self.pace
        json_object(reply)
        return reply.body, reply.status, {**reply.headers, "content-type": "application/json"}


def unwrapped(call: Callable[[], Answer]) -> Answer:
    """The call's answer; the SDK wraps whatever its HTTP client raises, and here it is unwrapped again."""
    try:
        return call()
    except (ResendError, NoContentError) as error:
        if isinstance(error.__context__, WireFailure):
            raise error.__context__ from None
        raise Unreadable("an answer that the SDK does not take") from error


def _pace(headers: Mapping[str, str]) -> Pace | None:
    """The `ratelimit-*` headers of draft-ietf-httpapi-ratelimit-headers; the window is a second unless the policy says."""
    window = _WINDOW.search(headers.get("ratelimit-policy", ""))
    try:
        pace = Pace(
            limit=int(headers["ratelimit-limit"]),
            remaining=int(headers["ratelimit-remaining"]),
            reset=float(headers["ratelimit-reset"]),
            window=float(window[1]) if window else 1.0,
        )
    except (KeyError, ValueError):
        return None
    return pace if pace.limit >= 1 and pace.window > 0 and 0 <= pace.reset <= LONGEST_WAIT else None
