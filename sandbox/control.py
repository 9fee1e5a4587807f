"""The control API under `/_sandbox`: what was sent, which faults are on, and the customers' side of things."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.bad_request import BadRequestError
from sandbox.courier import Courier
from sandbox.customers import Customers
from sandbox.exchange import answer
from sandbox.fault_model import read_fault
from sandbox.ledger import Entry
from sandbox.resend.front import ResendFront
from sandbox.store import Record, Store
from sandbox.twilio.front import TwilioFront


def control_routes(
    twilio: TwilioFront,
    resend: ResendFront,
    courier: Courier,
) -> list[Route]:
    """The routes of the control API; it asks for no credentials."""
    settings, store, faults = twilio.settings, twilio.store, twilio.faults
    customers = Customers(twilio, resend, courier)

    async def health(_: Request) -> Response:
        return answer(200, {"status": "ok", "messages": len(store.records), "faults": len(faults.active)})

    async def messages(request: Request) -> Response:
        if request.method == "DELETE":
            await twilio.lifecycle.stop()
            await store.clear()
            resend.book.forget()
            return Response(status_code=204)
        return answer(200, find_messages(store, dict(request.query_params)))

    async def fault_list(request: Request) -> Response:
        if request.method == "POST":
            added = faults.add(read_fault(document(await request.body())))
            return answer(201, added.as_json())
        if request.method == "DELETE":
            return answer(200, {"removed": faults.remove()})
        return answer(200, {"faults": [active.as_json() for active in faults.active]})

    async def fault(request: Request) -> Response:
        if not faults.remove(request.path_params["fault_id"]):
            raise BadRequestError("id", "no such fault", 404)
        return Response(status_code=204)

    async def webhooks(request: Request) -> Response:
        for field, value in as_object(await request.body()).items():
            if field not in {"resend_webhook_url", "twilio_inbound_url"}:
                raise BadRequestError(field, "known are resend_webhook_url and twilio_inbound_url")
            setattr(settings, field, str(value))
        urls = {
            "resend_webhook_url": settings.resend_webhook_url,
            "twilio_inbound_url": settings.twilio_inbound_url,
        }
        return answer(200, urls)

    async def inbound(request: Request) -> Response:
        return answer(202, await customers.text(as_object(await request.body())))

    async def engage(request: Request) -> Response:
        return answer(202, customers.engage(as_object(await request.body())))

    table: dict[str, tuple[Any, list[str]]] = {
        "/_sandbox/healthz": (health, ["GET"]),
        "/_sandbox/messages": (messages, ["GET", "DELETE"]),
        "/_sandbox/faults": (fault_list, ["GET", "POST", "DELETE"]),
        "/_sandbox/faults/{fault_id:int}": (fault, ["DELETE"]),
        "/_sandbox/webhooks": (webhooks, ["POST"]),
        "/_sandbox/inbound": (inbound, ["POST"]),
        "/_sandbox/engage": (engage, ["POST"]),
    }
    return [Route(path, endpoint, methods=methods) for path, (endpoint, methods) in table.items()]


def bad_request(_: Request, error: Exception) -> Response:
    """A wrong control request, answered with the field and the mend."""
    assert isinstance(error, BadRequestError)
    return answer(error.status, {"error": "invalid_request", "field": error.field, "message": error.message})


def document(body: bytes) -> Any:
    """The JSON document of a request."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError("body", f"is no JSON: {error}") from error


def as_object(body: bytes) -> Entry:
    """The JSON object of a request."""
    found = document(body)
    if not isinstance(found, dict):
        raise BadRequestError("body", "must be a JSON object")
    return found


def find_messages(store: Store, query: dict[str, str]) -> dict[str, Any]:
    """The ledger's entries with their present state, oldest first, or only their counts (`count=1`).

    Filters: provider, to, outcome, status, since (an instant). `brief=1` leaves out texts, `limit` and
    `offset` page.
    """
    known = {"provider", "to", "since", "outcome", "status", "count", "brief", "limit", "offset"}
    for name in query.keys() - known:
        raise BadRequestError(name, f"unknown filter; known are {', '.join(sorted(known))}")
    rows = [
        record
        for record in store.matching(
            provider=query.get("provider"), to=query.get("to"), since=_instant(query)
        )
        if query.get("outcome") in {None, record.entry["outcome"]}
        and query.get("status") in {None, record.status}
    ]
    counts = {
        "total": len(rows),
        "by_outcome": Counter(record.entry["outcome"] for record in rows),
        "by_status": Counter(record.status for record in rows),
        "by_provider": Counter(record.entry["provider"] for record in rows),
    }
    if query.get("count") == "1":
        return counts
    offset = _number(query, "offset", 0)
    shown = rows[offset : offset + _number(query, "limit", len(rows))]
    brief = query.get("brief") == "1"
    return {**counts, "messages": [_shown(store, record, brief=brief) for record in shown]}


def _shown(store: Store, record: Record, *, brief: bool) -> Entry:
    return record.summary() if brief else {**store.full(record), **record.summary()}


def _number(query: dict[str, str], name: str, default: int) -> int:
    raw = query.get(name, str(default))
    if not raw.isdigit():
        raise BadRequestError(name, "must be a number of at least 0")
    return int(raw)


def _instant(query: dict[str, str]) -> datetime | None:
    raw = query.get("since")
    if raw is None:
        return None
    try:
        at = datetime.fromisoformat(raw.replace(" ", "+"))  # a bare + in a URL arrives as a space
    except ValueError as error:
        raise BadRequestError(
            "since", "must be an ISO 8601 instant, such as 2026-11-24T02:00:00+00:00"
        ) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
