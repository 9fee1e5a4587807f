"""The inbox page: what the customers would have received, as a phone and a mail program."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.faults import Faults
from sandbox.ledger import Entry
from sandbox.segments import segment
from sandbox.store import Record, Store, recipients

TEXTS_SHOWN = 40
EMAILS_SHOWN = 60
TONES = {
    "delivered": "good", "opened": "good", "clicked": "good", "received": "good",
    "failed": "bad", "undelivered": "bad", "bounced": "bad", "complained": "bad", "suppressed": "bad", "refused": "bad",
    "delivery_delayed": "slow", "replayed": "slow", "canceled": "slow",
}  # fmt: skip
# Emails are strangers' HTML: no scripts (sandboxed frame), nothing fetched from outside (this policy).
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
    "img-src data:; frame-src 'self'; form-action 'self'; base-uri 'none'"
)


def inbox_routes(store: Store, faults: Faults) -> list[Route]:
    """The routes of the page."""

    async def inbox(request: Request) -> Response:
        wanted = request.query_params.get("q", "").strip()
        emails = [email_row(record) for record in islice(search(store, "resend", wanted), EMAILS_SHOWN)]
        texts = [bubble(record) for record in islice(search(store, "twilio", wanted), TEXTS_SHOWN)]
        opened = store.by_id.get(request.query_params.get("email", "")) or first(
            search(store, "resend", wanted)
        )
        return page(
            "inbox.html",
            q=wanted,
            texts=texts[::-1],
            emails=emails,
            letter=letter(store, opened) if opened else None,
            totals=totals(store),
            faults=[active for active in faults.active if not active.spent],
            changes=store.changes,
        )

    async def email(request: Request) -> Response:
        record = store.by_id.get(request.path_params["email_id"])
        if record is None or record.entry["provider"] != "resend":
            return PlainTextResponse("There is no such email.\n", 404)
        return page("email.html", letter=letter(store, record))

    async def changes(_: Request) -> Response:
        return PlainTextResponse(str(store.changes))

    return [
        Route("/", inbox),
        Route("/inbox/email/{email_id}", email),
        Route("/inbox/changes", changes),
    ]


@cache
def templates() -> Any:
    """The page's templates; jinja2 is loaded with the first page, not with the server."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def page(name: str, **values: Any) -> Response:
    """A page under the strict policy."""
    return HTMLResponse(
        templates().get_template(name).render(values), headers={"Content-Security-Policy": POLICY}
    )


def search(store: Store, provider: str, wanted: str) -> Iterator[Record]:
    """A provider's sends, newest first, whose customer's address contains the wanted characters."""
    needle = wanted.lower()
    for record in reversed(store.records):
        if record.entry["provider"] == provider and (
            not needle or any(needle in address.lower() for address in customers(record.entry))
        ):
            yield record


def customers(entry: Entry) -> list[str]:
    """The customers' side of a message: who gets it, or who texted it."""
    return [entry["from"]] if entry["kind"] == "inbound" else recipients(entry)


def first(records: Iterator[Record]) -> Record | None:
    """The newest email that there is something to see of."""
    return next((record for record in records if record.taken), None)


def bubble(record: Record) -> dict[str, Any]:
    """A text message as the phone shows it."""
    entry = record.entry
    body = "" if record.redacted else entry["body"]
    cut = segment(body)
    return {
        "customer": customers(entry)[0] if customers(entry) else "",
        "mine": entry["kind"] == "inbound",
        "sender": entry["from"],
        "parts": cut.parts,
        "encoding": cut.encoding,
        "segments": cut.segments,
        "length": len(body),
        "status": status_line(record),
        "tone": TONES.get(record.status, "going"),
        "fault": entry["fault"],
        "at": clock(record.created_at),
        "day": f"{record.created_at:%d %B}",
    }


def email_row(record: Record) -> dict[str, Any]:
    """An email as the list shows it."""
    entry = record.entry
    return {
        "id": record.id,
        "to": ", ".join(recipients(entry)) or "nobody",
        "subject": entry["subject"] or "(no subject)",
        "status": status_line(record),
        "tone": TONES.get(record.status, "going"),
        "at": clock(record.created_at),
    }


def letter(store: Store, record: Record) -> dict[str, Any]:
    """An email with its content, headers and history."""
    entry = store.full(record)
    headers = {
        "From": entry["from"],
        "To": ", ".join(entry["to"]),
        "Cc": ", ".join(entry["cc"]),
        "Bcc": ", ".join(entry["bcc"]),
        "Reply-To": ", ".join(entry["reply_to"]),
        "Subject": entry["subject"],
        "Message-ID": entry["message_id"],
        **entry["headers"],
    }
    return {
        **email_row(record),
        "sender": entry["from"],
        "html": entry["html"] or "",
        "text": entry["text"] or "",
        "headers": {name: value for name, value in headers.items() if value},
        "tags": entry["tags"],
        "attachments": entry["attachments"],
        "dropped": entry["attachments_dropped"],
        "key": entry["idempotency_key"],
        "history": [(status, clock(datetime.fromisoformat(at))) for status, at in record.history],
    }


def status_line(record: Record) -> str:
    """The status, with the code of a failure."""
    code = record.error_code or record.entry.get("code")
    return f"{record.status.replace('_', ' ')} {code}" if code else record.status.replace("_", " ")


def clock(at: datetime) -> str:
    """The time of day, UTC."""
    return f"{at:%H:%M:%S}"


def totals(store: Store) -> list[tuple[str, int, str]]:
    """What the head of the page counts: label, number, tone."""
    counts = {"sms": 0, "email": 0, "good": 0, "bad": 0, "going": 0, "slow": 0}
    for record in store.records:
        counts["sms" if record.entry["provider"] == "twilio" else "email"] += 1
        counts[TONES.get(record.status, "going")] += 1
    return [
        ("SMS", counts["sms"], ""),
        ("email", counts["email"], ""),
        ("arrived", counts["good"], "good"),
        ("under way", counts["going"], "going"),
        ("failed or refused", counts["bad"], "bad"),
    ]
