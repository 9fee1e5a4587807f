"""Twilio's routes."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.exchange import answer, consult, exchange
from sandbox.store import Record
from sandbox.twilio.create import CreateMessage, twilio_fault
from sandbox.twilio.errors import twilio_refusal
from sandbox.twilio.front import FINAL, TwilioFront
from sandbox.twilio.resource import API_VERSION, account_resource, message_resource

MAX_PAGE = 1000
DEFAULT_PAGE = 50
Handler = Callable[[TwilioFront, Request, dict[str, str]], Response]


def twilio_routes(front: TwilioFront) -> list[Route]:
    """The routes of the Messages resource, the busiest first."""

    async def messages(request: Request) -> Response:
        if request.method != "POST":
            return await read(request, list_messages)
        pairs = parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True)
        media = [value for name, value in pairs if name == "MediaUrl"]
        send = CreateMessage(front, request, dict(pairs), media)
        return await exchange(request, send, store=front.store, faults=front.faults, headers=front.headers)

    async def message(request: Request) -> Response:
        return await read(request, {"POST": update, "DELETE": remove}.get(request.method, fetch))

    async def account(request: Request) -> Response:
        return await read(
            request, lambda front, *_: answer(200, account_resource(front.settings.twilio_account_sid))
        )

    async def read(request: Request, handler: Handler) -> Response:
        def authenticated(body: bytes) -> Response:
            front.authenticate(request)
            return handler(
                front, request, dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
            )

        return await consult(
            request,
            "twilio",
            faults=front.faults,
            headers=front.headers,
            wording=twilio_fault,
            handler=authenticated,
        )

    root = f"/{API_VERSION}/Accounts/{{account}}"
    return [
        Route(f"{root}/Messages.json", messages, methods=["POST", "GET"]),
        Route(f"{root}/Messages/{{sid}}.json", message, methods=["GET", "POST", "DELETE"]),
        Route(f"{root}.json", account, methods=["GET"]),
    ]


def find(front: TwilioFront, request: Request) -> Record:
    """The message the path names; raises 20404."""
    record = front.store.by_id.get(request.path_params["sid"])
    if record is None or record.removed or record.entry["provider"] != "twilio":
        raise twilio_refusal(20404, path=request.url.path)
    return record


def fetch(front: TwilioFront, request: Request, _: dict[str, str]) -> Response:
    """`GET …/Messages/{sid}.json`."""
    return answer(200, message_resource(find(front, request)))


def update(front: TwilioFront, request: Request, form: dict[str, str]) -> Response:
    """`POST …/Messages/{sid}.json`: cancel a scheduled message, or take the text out of a finished one."""
    record = find(front, request)
    now = datetime.now(UTC).isoformat()
    if form.get("Status") == "canceled":
        if record.status != "scheduled":
            raise twilio_refusal(30409)
        front.lifecycle.cancel(record)
        front.store.enter(record, "canceled")
    if form.get("Body") == "":
        if record.status not in FINAL:
            raise twilio_refusal(20009)
        front.store.note({"at": now, "id": record.id, "redacted": True})
    elif "Body" in form:
        raise twilio_refusal(20001, field="Body", value="only an empty text may replace a text")
    return answer(200, message_resource(record))


def remove(front: TwilioFront, request: Request, _: dict[str, str]) -> Response:
    """`DELETE …/Messages/{sid}.json`, once it is finished."""
    record = find(front, request)
    if record.status not in FINAL:
        raise twilio_refusal(20009)
    front.store.note({"at": datetime.now(UTC).isoformat(), "id": record.id, "removed": True})
    return Response(status_code=204)


def list_messages(front: TwilioFront, request: Request, _: dict[str, str]) -> Response:
    """`GET …/Messages.json`, newest first.

    A date filter leaves out what was not sent yet (its date_sent is null): as with Twilio, that a message
    is missing from such a list does not prove that it won't be sent.
    """
    query = request.query_params
    size = min(max(number(query.get("PageSize"), DEFAULT_PAGE), 1), MAX_PAGE)
    page = max(number(query.get("Page"), 0), 0)
    wanted = date_filter(dict(query))
    sender = query.get("From")
    found = (
        record
        for record in front.store.messages("twilio", query.get("To"))
        if (sender is None or record.entry["from"] == sender) and wanted(record)
    )
    rows = list(islice(found, page * size, (page + 1) * size + 1))
    shown = rows[:size]
    filters = {
        name: query[name] for name in ("To", "From", "DateSent", "DateSent<", "DateSent>") if name in query
    }

    def uri(number: int) -> str:
        return f"{request.url.path}?{urlencode(filters | {'PageSize': size, 'Page': number})}"

    return answer(
        200,
        {
            "end": page * size + max(len(shown) - 1, 0),
            "first_page_uri": uri(0),
            "messages": [message_resource(record) for record in shown],
            "next_page_uri": uri(page + 1) if len(rows) > size else None,
            "page": page,
            "page_size": size,
            "previous_page_uri": uri(page - 1) if page else None,
            "start": page * size,
            "uri": uri(page),
        },
    )


def number(raw: str | None, default: int) -> int:
    """A paging number from the query."""
    return int(raw) if raw is not None and raw.isdigit() else default


def date_filter(query: dict[str, str]) -> Callable[[Record], bool]:
    """Twilio's filters on date_sent: of a day (or its midnight), from an instant on, up to an instant."""
    filters: dict[str, Callable[[datetime, datetime], bool]] = {
        "DateSent": lambda sent, wanted: sent.date() == wanted.date(),
        "DateSent<": lambda sent, wanted: sent <= wanted,
        "DateSent>": lambda sent, wanted: sent >= wanted,
    }
    asked = [(holds, instant(name, query[name])) for name, holds in filters.items() if name in query]
    return lambda record: (
        not asked
        or (record.sent_at is not None and all(holds(record.sent_at, wanted) for holds, wanted in asked))
    )


def instant(name: str, raw: str) -> datetime:
    """A date or date and time of the query, UTC unless it says otherwise; raises 20001."""
    try:
        at = datetime.fromisoformat(raw)
    except ValueError:
        raise twilio_refusal(20001, field=name, value=raw) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
