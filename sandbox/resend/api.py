"""Resend's routes."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.exchange import answer, consult, exchange
from sandbox.resend.create import SendEmails, resend_fault
from sandbox.resend.errors import resend_refusal
from sandbox.resend.front import ResendFront
from sandbox.resend.paging import page_of
from sandbox.resend.suppressions import suppression_handlers
from sandbox.store import Record

SHOWN = ("message_id", "to", "from", "subject", "bcc", "cc", "reply_to", "scheduled_at")
Handler = Callable[[ResendFront, Request, Any], Response]


def resend_routes(front: ResendFront) -> list[Route]:
    """The routes of emails and suppressions, the busiest first."""

    async def emails(request: Request) -> Response:
        return (
            await send(request, in_batch=False)
            if request.method == "POST"
            else await read(request, list_emails)
        )

    async def batch(request: Request) -> Response:
        return await send(request, in_batch=True)

    async def send(request: Request, *, in_batch: bool) -> Response:
        body = SendEmails(front, request, parse(await request.body()), in_batch)
        return await exchange(request, body, store=front.store, faults=front.faults, headers=front.headers)

    async def read(request: Request, handler: Handler) -> Response:
        def authenticated(body: bytes) -> Response:
            front.authenticate(request)
            front.spend()
            return handler(front, request, parse(body))

        return await consult(
            request,
            "resend",
            faults=front.faults,
            headers=front.headers,
            wording=resend_fault,
            handler=authenticated,
        )

    def route(path: str, methods: dict[str, Handler]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await read(
                request, methods.get(request.method, methods.get("GET", next(iter(methods.values()))))
            )

        return Route(path, endpoint, methods=list(methods))

    return [
        Route("/emails", emails, methods=["POST", "GET"]),
        Route("/emails/batch", batch, methods=["POST"]),
        route("/emails/{email_id}", {"GET": retrieve, "PATCH": reschedule}),
        route("/emails/{email_id}/cancel", {"POST": cancel}),
        *(route(path, methods) for path, methods in suppression_handlers().items()),
    ]


def parse(body: bytes) -> Any:
    """The JSON document of a request, or None when it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def find(front: ResendFront, request: Request) -> Record:
    """The email the path names; raises not_found."""
    record = front.store.by_id.get(request.path_params["email_id"])
    if record is None or record.entry["provider"] != "resend":
        raise resend_refusal("not_found", "Email not found")
    return record


def email_resource(record: Record) -> dict[str, Any]:
    """An email as lists show it: without its content."""
    shown = {name: record.entry[name] for name in SHOWN}
    return {"id": record.id, "created_at": record.entry["at"], "last_event": record.status, **shown}


def retrieve(front: ResendFront, request: Request, _: Any) -> Response:
    """`GET /emails/{id}`, with the content."""
    record = find(front, request)
    entry = front.store.full(record)
    content = {"html": entry["html"], "text": entry["text"]}
    tags = [{"name": name, "value": value} for name, value in entry["tags"].items()]
    return answer(200, {"object": "email", **email_resource(record), **content, "tags": tags})


def list_emails(front: ResendFront, request: Request, _: Any) -> Response:
    """`GET /emails`, newest first; `after` goes on to older ones, `before` back to newer ones."""
    rows, more = page_of(list(front.store.messages("resend")), request, lambda record: record.id)
    return answer(
        200, {"object": "list", "has_more": more, "data": [email_resource(record) for record in rows]}
    )


def reschedule(front: ResendFront, request: Request, document: Any) -> Response:
    """`PATCH /emails/{id}`: give a scheduled email another time."""
    record = find(front, request)
    moment = document.get("scheduled_at") if isinstance(document, dict) else None
    if record.status != "scheduled" or not isinstance(moment, str):
        raise resend_refusal("validation_error", "Only a scheduled email can get a new `scheduled_at`.")
    front.lifecycle.cancel(record)
    record.entry["scheduled_at"] = moment
    front.start(record)
    return answer(200, {"object": "email", "id": record.id})


def cancel(front: ResendFront, request: Request, _: Any) -> Response:
    """`POST /emails/{id}/cancel`: a scheduled email is not sent."""
    record = find(front, request)
    if record.status != "scheduled":
        raise resend_refusal("validation_error", "Only a scheduled email can be canceled.")
    front.lifecycle.cancel(record)
    front.store.note({"at": datetime.now(UTC).isoformat(), "id": record.id, "status": "canceled"})
    return answer(200, {"object": "email", "id": record.id})
