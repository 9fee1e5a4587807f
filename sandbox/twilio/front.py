"""What all of Twilio's routes share: credentials, opt-outs, and the way a message's callbacks are made."""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urldefrag, urlencode
from uuid import uuid4

from starlette.requests import Request

from sandbox.courier import Callback
from sandbox.faults import Faults
from sandbox.lifecycle import Lifecycle, Step
from sandbox.settings import Settings
from sandbox.signing import twilio_signature
from sandbox.store import Record, Store
from sandbox.twilio.errors import twilio_refusal
from sandbox.twilio.magic import itinerary
from sandbox.twilio.resource import API_VERSION

FINAL = frozenset({"delivered", "undelivered", "failed", "canceled", "read", "received"})


class TwilioFront:
    """Twilio's side of the sandbox."""

    def __init__(self, settings: Settings, store: Store, faults: Faults, lifecycle: Lifecycle) -> None:
        self.settings = settings
        self.store = store
        self.faults = faults
        self.lifecycle = lifecycle

    def authenticate(self, request: Request) -> None:
        """Basic authentication against the one account; raises 20003."""
        expected = f"{self.settings.twilio_account_sid}:{self.settings.twilio_auth_token}"
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        if given != expected or request.path_params.get("account") != self.settings.twilio_account_sid:
            raise twilio_refusal(20003)

    def headers(self) -> dict[str, str]:
        """The headers of every answer."""
        return {
            "Twilio-Request-Id": f"RQ{uuid4().hex}",
            "Twilio-Concurrent-Requests": "1",
            "X-API-Domain": "api.twilio.com",
        }

    def opted_out(self, customer: str, sender: str) -> bool:
        """Whether the customer has texted STOP to this sender."""
        return (customer, sender) in self.store.opted_out

    def start(self, record: Record) -> None:
        """Set a message going, from whatever status it is in."""
        entry = record.entry
        delay = self.settings.callback_delay_s
        steps = itinerary(
            entry["to"],
            service=entry["messaging_service_sid"] is not None,
            delay_s=delay,
            validity_s=entry["validity_period"],
        )
        entered = [step.status for step in steps]
        if record.status in entered:
            steps = steps[entered.index(record.status) + 1 :]
        if record.status == "scheduled" and entry["send_at"]:
            wait = (datetime.fromisoformat(entry["send_at"]) - datetime.now(UTC)).total_seconds()
            steps = [Step(steps[0].status, max(0.0, wait) + delay), *steps[1:]] if steps else steps
        plan = self.faults.draw_callbacks("twilio", [entry["to"]])
        self.lifecycle.start(record, steps, plan, self.status_callback)

    def resume(self) -> None:
        """Set going every message that a stop of the sandbox left under way."""
        for record in list(self.store.messages("twilio")):
            if record.status not in FINAL:
                self.start(record)

    def status_callback(self, record: Record) -> Callback | None:
        """The callback for the status a message is in, if its sender wants callbacks."""
        entry = record.entry
        if not entry["status_callback"]:
            return None
        form = {
            "AccountSid": entry["account_sid"],
            "ApiVersion": API_VERSION,
            "From": entry["from"],
            "MessageSid": record.id,
            "MessageStatus": record.status,
            "SmsSid": record.id,
            "SmsStatus": record.status,
            "To": entry["to"],
        }
        if entry["messaging_service_sid"]:
            form["MessagingServiceSid"] = entry["messaging_service_sid"]
        if record.error_code is not None:
            form["ErrorCode"] = str(record.error_code)
        if record.status in {"delivered", "undelivered"}:
            form["RawDlrDoneDate"] = record.updated_at.strftime("%y%m%d%H%M")
        return self.webhook(record.id, record.status, entry["status_callback"], form)

    def webhook(self, sid: str, event: str, url: str, form: Mapping[str, str]) -> Callback:
        """A signed webhook of Twilio's; by default it is tried once more when no connection can be made."""
        address = urldefrag(url).url  # the fragment holds Twilio's connection overrides and is not sent
        token = str(uuid4())

        def sign() -> dict[str, str]:
            return {
                "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
                "User-Agent": "TwilioProxy/1.1",
                "X-Twilio-Signature": twilio_signature(self.settings.twilio_auth_token, address, form),
                "I-Twilio-Idempotency-Token": token,
            }

        return Callback("twilio", sid, event, address, urlencode(form).encode(), sign, retry_after_s=(1.0,))
