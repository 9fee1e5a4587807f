"""Webhooks: verified on the raw body, stored durably, answered fast; processed later by `tasks.apply_callbacks`.

Signatures are checked against PUBLIC_BASE_URL, never against what the request says of its own address. Of a forged or
broken callback nothing is kept but a count and a line in the log.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import InvalidRequest, InvalidSignature, NotAccepted
from core.settings import settings
from delivery.messages import DeliveryEvent
from delivery.providers import provider
from delivery.providers.base import RawCallback
from web.replies import twiml

MOST_BYTES = 256 * 1024
LONGEST_BODY = 10.0
"""Seconds in which the whole body must have come: one that stops half-way must not hold a connection for ever."""
OF_AN_ATTEMPT = re.compile(r"(/webhooks/\w+/status)/.*")
"""A path of `PATHS` that the id of the attempt follows: `Transmission.callback_url`."""

PATHS: Mapping[str, str] = {
    "/webhooks/twilio/status": "twilio",
    "/webhooks/twilio/inbound": "twilio",
    "/webhooks/resend": "resend",
    "/webhooks/ses": "ses",
    "/webhooks/sns": "sns",
}
"""Path → the provider that must have signed what comes there."""

TWIML_PATH = "/webhooks/twilio/inbound"
"""Where the answer is an instruction."""

MAY_FETCH = frozenset({"ses", "sns"})
"""Providers whose signature may need a certificate from the network: verified off the event loop."""

ONLY_POST = Response("only POST\n", 405, media_type="text/plain", headers={"Allow": "POST"})
STORED = Response(status_code=204)
TRY_AGAIN = {"Retry-After": "5"}


@runtime_checkable
class Confirms(Protocol):
    """A provider that asks whether we want its callbacks at all (Amazon SNS)."""

    def confirm(self, event: DeliveryEvent) -> bool:
        """Say yes, where the event asks."""
        ...


class TooLarge(InvalidRequest):
    """A body above `MOST_BYTES`."""


class Webhooks:
    """Answers webhooks before the routes of pages are asked: a third of a callback's price would be their machinery."""

    def __init__(self, app: ASGIApp) -> None:
        self._pages = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the request if its path is a webhook's."""
        name = _provider_of(scope["path"]) if scope["type"] == "http" else None
        if name is None:
            await self._pages(scope, receive, send)
            return
        request = Request(scope, receive)
        response = await take(name, request) if request.method == "POST" else ONLY_POST
        await response(scope, receive, send)


async def take(name: str, request: Request) -> Response:
    """Take one callback: 204 or empty TwiML once it is stored, 4xx when it is not genuine, 503 to be tried again."""
    tallies = request.app.state.tallies
    try:
        callback = RawCallback(
            url=public_url(request),
            headers={
                name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]
            },
            body=await asyncio.wait_for(_body(request), LONGEST_BODY),
        )
        events = await _verified(name, callback)
        await request.app.state.inbox.store(events)
    except TooLarge as error:
        return _refused(request, name, "too_large", 413, error)
    except InvalidRequest as error:
        return _refused(request, name, "invalid", 400, error)
    except InvalidSignature as error:
        return _refused(request, name, "forged", 403, error)
    except NotAccepted as error:
        return _refused(request, name, "not_taken", 503, error)
    except ClientDisconnect:
        return _refused(request, name, "hung_up", 400, "the sender hung up")
    except TimeoutError:
        return _refused(request, name, "too_slow", 408, "the body did not come in time")
    for event in events:
        tallies.count(name, event.kind)
    text = await request.app.state.replies.to(events)
    return twiml(text) if request.scope["path"] == TWIML_PATH else STORED


def public_url(request: Request) -> str:
    """The URL that the provider called: the configured base, and the path and query byte for byte."""
    scope = request.scope
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{settings().public_base_url.rstrip('/')}{path}" + (f"?{query}" if query else "")


def _provider_of(path: str) -> str | None:
    of_an_attempt = OF_AN_ATTEMPT.fullmatch(path)
    return PATHS.get(of_an_attempt[1] if of_an_attempt else path)


async def _verified(name: str, callback: RawCallback) -> Sequence[DeliveryEvent]:
    if name not in MAY_FETCH:
        return provider(name).events(callback)
    if not settings().sns_topics:  # before anything is built or fetched for a stranger
        raise InvalidSignature("no topic of Amazon SNS is ours: MINGUS_SNS_TOPICS is empty")
    carrier = await asyncio.to_thread(provider, name)
    events = await asyncio.to_thread(carrier.events, callback)
    if isinstance(carrier, Confirms):
        for event in events:
            await asyncio.to_thread(carrier.confirm, event)
    return events


async def _body(request: Request) -> bytes:
    """The body; what is too large is read a little further, so that its sender gets to read the answer."""
    body, length = bytearray(), 0
    async for piece in request.stream():
        length += len(piece)
        if length <= MOST_BYTES:
            body += piece
        elif length > 4 * MOST_BYTES:
            break
    if length > MOST_BYTES:
        raise TooLarge("body", f"must not exceed {MOST_BYTES} bytes")
    return bytes(body)


def _refused(request: Request, name: str, what: str, status: int, why: object) -> Response:
    request.app.state.tallies.count(name, what)
    return Response(f"{why}\n", status, media_type="text/plain", headers=TRY_AGAIN if status == 503 else None)
