"""Creating a message: what Twilio checks, in Twilio's order, and what it then promises."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from starlette.requests import Request

from sandbox.exchange import Acceptance, Refusal
from sandbox.faults import Hit, refusal_status, retry_after
from sandbox.ledger import Entry
from sandbox.segments import SMART_ENCODING, segment
from sandbox.store import Record
from sandbox.twilio.errors import twilio_refusal
from sandbox.twilio.front import TwilioFront
from sandbox.twilio.magic import FROM_REFUSED, TO_REFUSED
from sandbox.twilio.resource import SENDER_OF_SERVICES, message_resource

E164 = re.compile(r"\+(?:1[2-9]\d{9}|[2-9]\d{6,14})")
SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
NOISE = str.maketrans("", "", " -().")
MAX_BODY = 1600
MAX_VALIDITY_S = 36_000
SCHEDULE_EARLIEST, SCHEDULE_LATEST = timedelta(minutes=5), timedelta(days=35)


@dataclass(slots=True)
class CreateMessage:
    """One `POST …/Messages.json`."""

    front: TwilioFront
    request: Request
    form: Mapping[str, str]
    media: list[str]
    provider: str = "twilio"
    send_at: datetime | None = None
    _to: str = field(default="", init=False)

    def __post_init__(self) -> None:
        given = self.form.get("To", "").translate(NOISE)
        self._to = "+1" + given if re.fullmatch(r"[2-9]\d{9}", given) else given

    @property
    def to(self) -> list[str]:
        """The recipient, in E.164 if it was given in a way that Twilio understands."""
        return [self._to]

    @property
    def sender(self) -> str:
        """The number, code or name given as sender; a Messaging Service has none."""
        given = (
            self.form.get("From", "").translate(NOISE)
            if self.form.get("From", "").startswith("+")
            else self.form.get("From", "")
        )
        return "" if SERVICE.fullmatch(given) else given

    @property
    def service(self) -> str | None:
        """The Messaging Service, which may also stand in the From field."""
        given = self.form.get("MessagingServiceSid") or self.form.get("From", "")
        return given if given.startswith("MG") else None

    @property
    def body(self) -> str:
        """The text as it is sent."""
        body = self.form.get("Body", "")
        return body.translate(SMART_ENCODING) if self.form.get("SmartEncoded", "").lower() == "true" else body

    @property
    def validity_s(self) -> int | None:
        """After how many seconds the message is not to be sent any more."""
        raw = self.form.get("ValidityPeriod")
        return int(raw) if raw and raw.isdigit() else None

    def begin(self) -> None:
        """Let the request in."""
        self.front.authenticate(self.request)

    def settled(self) -> None:
        """Nothing is held while a message is judged: Twilio knows no idempotency keys."""

    def judge(self) -> Acceptance:
        """Take the message as Twilio would, or raise its Refusal."""
        self._check_addresses()
        self._check_content()
        self._check_schedule()
        entry = self._entry("accepted", sid=f"SM{uuid4().hex}")
        return Acceptance([entry], 201, lambda records: message_resource(records[0]))

    def _check_addresses(self) -> None:
        refuse = partial(twilio_refusal, to=self._to, sender=self.sender)
        if not self._to:
            raise twilio_refusal(21604)
        if not self.sender and not self.service:
            raise twilio_refusal(21603)
        if self.service and not SERVICE.fullmatch(self.service):
            raise twilio_refusal(21705, value=self.service)
        if self._to in TO_REFUSED:
            raise refuse(TO_REFUSED[self._to])
        if not E164.fullmatch(self._to):
            raise refuse(21211)
        if self.sender in FROM_REFUSED:
            raise refuse(FROM_REFUSED[self.sender])
        if self.sender and not SENDER.fullmatch(self.sender):
            raise refuse(21212)
        if self.sender == self._to:
            raise refuse(21266)
        if self.front.opted_out(self._to, self.sender or SENDER_OF_SERVICES):
            raise twilio_refusal(21610)

    def _check_content(self) -> None:
        if not self.form.get("Body") and not self.media and not self.form.get("ContentSid"):
            raise twilio_refusal(21619)
        if len(self.body) > MAX_BODY:
            raise twilio_refusal(21617)
        callback = self.form.get("StatusCallback")
        if callback and not callback.startswith(("http://", "https://")):
            raise twilio_refusal(21609, value=callback)
        validity = self.form.get("ValidityPeriod")
        if validity is not None and not (validity.isdigit() and 1 <= int(validity) <= MAX_VALIDITY_S):
            raise twilio_refusal(20001, field="ValidityPeriod", value=validity)

    def _check_schedule(self) -> None:
        if self.form.get("ScheduleType") != "fixed":
            return
        if not self.service:
            raise twilio_refusal(35118)
        if "SendAt" not in self.form:
            raise twilio_refusal(35111)
        try:
            send_at = datetime.fromisoformat(self.form["SendAt"])
        except ValueError:
            raise twilio_refusal(35115) from None
        send_at = send_at if send_at.tzinfo else send_at.replace(tzinfo=UTC)
        if not SCHEDULE_EARLIEST <= send_at - datetime.now(UTC) <= SCHEDULE_LATEST:
            raise twilio_refusal(35115)
        self.send_at = send_at

    def _entry(self, outcome: str, sid: str | None) -> Entry:
        text = segment(self.body)
        first = "scheduled" if self.send_at else "accepted" if self.service else "queued"
        return {
            "provider": self.provider,
            "kind": "message",
            "id": sid,
            "outcome": outcome,
            "code": None,
            "http_status": 201,
            "first_status": first if outcome == "accepted" else outcome,
            "account_sid": self.front.settings.twilio_account_sid,
            "direction": "outbound-api",
            "to": self._to,
            "from": self.sender or SENDER_OF_SERVICES,
            "from_given": bool(self.sender),
            "messaging_service_sid": self.service,
            "body": self.body,
            "media": self.media,
            "encoding": text.encoding,
            "num_segments": text.segments,
            "status_callback": self.form.get("StatusCallback"),
            "validity_period": self.validity_s,
            "send_at": self.send_at.isoformat() if self.send_at else None,
            "idempotency_key": None,
            "tags": self.form.get("Tags"),
        }

    def refused(self, refusal: Refusal) -> list[Entry]:
        """The ledger's entry of a message that was not taken."""
        return [{**self._entry("refused", None), "code": refusal.code, "http_status": refusal.status}]

    def start(self, records: list[Record]) -> None:
        """Set the message going."""
        self.front.start(records[0])

    def fault(self, hit: Hit) -> Refusal:
        """Twilio's wording of an injected refusal."""
        return twilio_fault(hit)


def twilio_fault(hit: Hit) -> Refusal:
    """Twilio's wording of an injected refusal."""
    code: Any = getattr(hit.params, "code", None)
    if hit.kind in {"429", "rate_limit"}:
        return twilio_refusal(
            int(code or 20429), status=refusal_status(hit, 429), retry_after=retry_after(hit)
        )
    status = refusal_status(hit, 500)
    return twilio_refusal(int(code or (20503 if status == 503 else 20500)), status=status)
