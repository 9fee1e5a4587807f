"""The Twilio SDK's seam: its requests over our HTTP client."""

import logging
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlencode

from twilio.http import HttpClient as SdkHttpClient
from twilio.http.response import Response

from core.settings import Settings
from delivery.providers.http import HttpClient, json_object


class OurClient(SdkHttpClient):  # type: ignore[misc]  # the SDK has no types
    """The SDK's seam: its requests over our client, its answers checked before it parses them."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(logging.getLogger("twilio"), is_async=False)
        self._http = HttpClient(
            connect_timeout=settings.provider_connect_timeout,
            read_timeout=settings.provider_read_timeout,
            keep=settings.provider_connections,
        )

    def request(  # noqa: PLR0917  (the SDK's signature)
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002  (ours is set once for all calls)
        allow_redirects: bool = False,  # noqa: ARG002  (never: a redirected create could be a second message)
    ) -> Response:
        """A 2xx with a JSON object; Refused, Unreadable, Unanswered or NotWritten for anything else."""
        if params:
            uri = f"{uri}?{urlencode(params)}"
        signed = dict(headers or {})
        if auth:
            signed["Authorization"] = f"Basic {b64encode(':'.join(auth).encode()).decode()}"
        body = urlencode(data, doseq=True).encode() if data else b""
        reply = self._http.exchange(method, uri, headers=signed, body=body)
        json_object(reply)
        return Response(reply.status, reply.body.decode(), reply.headers)
