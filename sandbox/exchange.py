"""The story of one send, the same for SMS and email: judge, write down, answer, with the faults in between."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.connection import hang_up
from sandbox.faults import Faults, Hit
from sandbox.ledger import Entry
from sandbox.store import Record, Store

JSON = "application/json"


@dataclass
class Refusal(Exception):
    """A vendor's refusal: the HTTP status, the vendor's code, and the body as the vendor words it."""

    status: int
    code: int | str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What is written down when a send is taken, and the answer made from what was written."""

    entries: list[Entry]
    status: int
    body: Callable[[list[Record]], dict[str, Any]]


class Send(Protocol):
    """One request to send, as a provider's front understands it."""

    provider: str

    @property
    def to(self) -> list[str]:
        """The recipients, as faults are aimed at them."""
        ...

    def begin(self) -> None:
        """Check credentials and limits, take keys into use; raises Refusal."""
        ...

    def settled(self) -> None:
        """The send is taken or refused: give back what `begin` took."""
        ...

    def judge(self) -> Acceptance:
        """Take the send, or raise Refusal."""
        ...

    def refused(self, refusal: Refusal) -> list[Entry]:
        """The entries of the ledger for a send that was not taken."""
        ...

    def start(self, records: list[Record]) -> None:
        """The entries are on disk: set the accepted ones going."""
        ...

    def fault(self, hit: Hit) -> Refusal:
        """The provider's own wording of an injected refusal (429, 5xx, rate limit)."""
        ...


async def exchange(
    request: Request, send: Send, *, store: Store, faults: Faults, headers: Callable[[], dict[str, str]]
) -> Response:
    """Carry out one send; the ledger holds it, taken or refused, before this returns."""
    hit = Hit()
    try:
        send.begin()
        try:
            hit = faults.draw(send.provider, scope="send", to=send.to)
            taken = await _decide(send, hit, store)
        finally:
            send.settled()
    except Refusal as refusal:
        await store.write([{**stamp(hit), **entry} for entry in send.refused(refusal)])
        if hit.cuts_before:
            return hang_up(request)
        return answer(refusal.status, refusal.body, headers() | refusal.headers)
    taken.headers.update(headers())
    return await _after(request, hit, taken, send.fault)


async def _decide(send: Send, hit: Hit, store: Store) -> Response:
    """Take the send, write it down and set it going, or raise Refusal."""
    if hit.delay_s:
        await asyncio.sleep(hit.delay_s)
    if hit.cuts_before:
        raise Refusal(0, "connection_reset", {})
    if hit.refuses:
        raise send.fault(hit)
    acceptance = send.judge()
    records = await store.write([{**stamp(hit), **entry} for entry in acceptance.entries])
    taken = answer(acceptance.status, acceptance.body(records))
    send.start(records)
    return taken


async def _after(request: Request, hit: Hit, taken: Response, fault: Callable[[Hit], Refusal]) -> Response:
    """Answer a taken send, or spoil the answer as the fault asks."""
    if hit.kind == "5xx_after":
        refusal = fault(hit)
        return answer(refusal.status, refusal.body)
    if hit.kind == "accept_then_hang":
        await asyncio.sleep(hit.hang_seconds)
    if hit.kind in {"accept_then_hang", "reset"}:
        return hang_up(request)
    if hit.kind == "malformed":
        return Response(hit.spoil(bytes(taken.body)), taken.status_code, media_type=hit.media_type)
    return taken


def answer(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), status, headers, media_type=JSON)


def stamp(hit: Hit) -> Entry:
    """The first fields of every entry: when, and under which faults."""
    return {"at": datetime.now(UTC).isoformat(), "fault": hit.name}


async def consult(
    request: Request,
    provider: str,
    *,
    faults: Faults,
    headers: Callable[[], dict[str, str]],
    wording: Callable[[Hit], Refusal],
    handler: Callable[[bytes], Response],
) -> Response:
    """Answer a request that sends nothing (fetch, list, change), under the faults whose scope is `read`."""
    body = await request.body()
    hit = faults.draw(provider, scope="read")
    if hit.delay_s:
        await asyncio.sleep(hit.delay_s)
    if hit.kind == "reset":
        return hang_up(request)
    try:
        if hit.refuses:
            raise wording(hit)
        response = handler(body)
    except Refusal as refusal:
        return answer(refusal.status, refusal.body, headers() | refusal.headers)
    response.headers.update(headers())
    return response
