"""What all of Resend's routes share: the key, the rate limit, and the way an email's events are made."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from starlette.requests import Request

from sandbox.courier import Callback
from sandbox.faults import Faults
from sandbox.ledger import Entry
from sandbox.lifecycle import Lifecycle, Step
from sandbox.resend.errors import resend_refusal
from sandbox.resend.idempotency import Book
from sandbox.resend.magic import fate_of, is_silent
from sandbox.resend.validation import bare
from sandbox.settings import Settings, signing_key
from sandbox.signing import svix_headers
from sandbox.store import Record, Store

SVIX_RETRIES_S = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0)  # docs.svix.com/retries
FINAL = frozenset(
    {"delivered", "bounced", "complained", "suppressed", "failed", "canceled", "opened", "clicked"}
)


class ResendFront:
    """Resend's side of the sandbox."""

    def __init__(self, settings: Settings, store: Store, faults: Faults, lifecycle: Lifecycle) -> None:
        self.settings = settings
        self.store = store
        self.faults = faults
        self.lifecycle = lifecycle
        self.book = Book(settings.idempotency_ttl_s)
        self.book.restore(record for record in store.records if record.entry["provider"] == "resend")
        self._window = 0
        self._used = 0

    def authenticate(self, request: Request) -> None:
        """Bearer authentication with the one key; raises missing_api_key or invalid_api_key."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise resend_refusal("missing_api_key")
        if key != self.settings.resend_api_key:
            raise resend_refusal("invalid_api_key")

    def spend(self) -> None:
        """Count a request against the limit of this second; raises rate_limit_exceeded."""
        second = int(time.monotonic())
        if second != self._window:
            self._window, self._used = second, 0
        self._used += 1
        if self._used > self.settings.resend_rate_limit:
            raise resend_refusal("rate_limit_exceeded", retry_after=1)

    def headers(self) -> dict[str, str]:
        """The headers of every answer: how much of this second's limit is left."""
        limit = self.settings.resend_rate_limit
        return {
            "ratelimit-limit": str(limit),
            "ratelimit-policy": f"{limit};w=1",
            "ratelimit-remaining": str(max(0, limit - self._used)),
            "ratelimit-reset": "1",
        }

    def start(self, record: Record) -> None:
        """Set an email going, from whatever event it is at."""
        addresses = [bare(address) for address in record.entry["to"]]
        fate = fate_of(addresses, self.store.suppressions)
        delay = self.settings.callback_delay_s
        steps = [Step(event, delay, quiet=is_silent(addresses)) for event in fate.events]
        if record.status in fate.events:
            steps = steps[fate.events.index(record.status) + 1 :]
        if record.status == "scheduled" and steps:
            steps = [Step(steps[0].status, delay + seconds_until(record.entry["scheduled_at"])), *steps[1:]]
        plan = self.faults.draw_callbacks("resend", addresses)

        def compose(record: Record) -> Callback | None:
            detail = fate.detail if record.status == fate.events[-1] else {}
            return self.event(record, record.status, detail or engagement(record.status))

        self.lifecycle.start(record, steps, plan, compose)

    def resume(self) -> None:
        """Set going every email that a stop of the sandbox left under way."""
        for record in list(self.store.messages("resend")):
            if record.status not in FINAL:
                self.start(record)

    def event(self, record: Record, kind: str, detail: dict[str, Any]) -> Callback | None:
        """The webhook for an event of an email, if anybody listens."""
        if not self.settings.resend_webhook_url:
            return None
        entry = record.entry
        data: Entry = {
            "created_at": entry["at"],
            "email_id": record.id,
            "message_id": entry["message_id"],
            "from": entry["from"],
            "to": entry["to"],
            "subject": entry["subject"],
            **detail,
        }
        if entry["tags"]:
            data["tags"] = entry["tags"]
        if entry["headers"]:
            data["headers"] = [{"name": name, "value": value} for name, value in entry["headers"].items()]
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body = orjson.dumps({"type": f"email.{kind}", "created_at": now, "data": data})
        message_id = f"msg_{uuid4().hex}"
        key = signing_key(self.settings.resend_webhook_secret)

        def sign() -> dict[str, str]:
            signed = svix_headers(key, message_id, int(time.time()), body)
            return {"Content-Type": "application/json", "User-Agent": "Svix-Webhooks/1.62", **signed}

        return Callback(
            "resend",
            record.id,
            f"email.{kind}",
            self.settings.resend_webhook_url,
            body,
            sign,
            retry_after_s=SVIX_RETRIES_S,
            retry_on_answer=True,
        )


def seconds_until(moment: str | None) -> float:
    """Seconds from now to a moment; 0 when it is past or none is given."""
    if moment is None:
        return 0.0
    at = datetime.fromisoformat(moment)
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())


USER_AGENT = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"


def engagement(
    kind: str, *, link: str = "https://resend.com", user_agent: str = "", ip: str = "203.0.113.7"
) -> Entry:
    """What a `clicked` event carries; an `opened` one only when the agent is given, which Resend does not promise."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    seen = {"ipAddress": ip, "timestamp": at, "userAgent": user_agent or USER_AGENT}
    if kind == "clicked":
        return {"click": seen | {"link": link}}
    return {"open": seen} if kind == "opened" and user_agent else {}
