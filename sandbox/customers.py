"""The customers' side: a text to the company's number, an email opened, clicked or reported as spam."""

import html
import re
from datetime import UTC, datetime
from uuid import uuid4

from sandbox.bad_request import BadRequestError
from sandbox.courier import Callback, Courier
from sandbox.ledger import Entry
from sandbox.lifecycle import Step
from sandbox.resend.front import ResendFront, engagement
from sandbox.resend.magic import DOMAIN, FATES
from sandbox.resend.validation import bare
from sandbox.segments import segment
from sandbox.store import Record
from sandbox.twilio.front import TwilioFront
from sandbox.twilio.resource import API_VERSION, SENDER_OF_SERVICES

# Twilio's default keywords: twilio.com/docs/messaging/tutorials/advanced-opt-out
KEYWORDS = {
    "STOP": frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}),
    "START": frozenset({"START", "YES", "UNSTOP"}),
    "HELP": frozenset({"HELP", "INFO"}),
}
E164 = re.compile(r"\+[1-9]\d{6,14}")
LINK = re.compile(r"""href=["'](https?://[^"']+)["']""")
TWIML_MESSAGE = re.compile(r"<Message[^>]*>(.*?)</Message>", re.DOTALL)
SUPPRESSES = {"bounced": "bounce", "complained": "complaint"}
ENGAGEMENTS = ("opened", "clicked", "complained", "bounced", "delivery_delayed")
BOUNCE = FATES["bounced"].detail


class Customers:
    """What customers do, and what the vendors then tell the product."""

    def __init__(self, twilio: TwilioFront, resend: ResendFront, courier: Courier) -> None:
        self._twilio = twilio
        self._resend = resend
        self._courier = courier
        self._store = twilio.store

    async def text(self, given: Entry) -> Entry:
        """A customer (`from`) texts `body` to a number of ours (`to`): kept, and posted to the inbound URL.

        STOP and its like stop all further texts of that number to the customer (21610), as with Twilio.
        """
        sender, body = str(given.get("from", "")), str(given.get("body", ""))
        to = str(given.get("to") or SENDER_OF_SERVICES)
        for field, value in (("from", sender), ("to", to)):
            if not E164.fullmatch(value):
                raise BadRequestError(field, "must be a phone number in E.164, such as +15005550006")
        url = str(given.get("url") or self._twilio.settings.twilio_inbound_url)
        if not url:
            raise BadRequestError(
                "url", "give one, or start with --twilio-inbound-url, or POST /_sandbox/webhooks"
            )
        keyword = keyword_of(body)
        if keyword in {"STOP", "START"}:
            opt_out = {"opt_out": keyword == "STOP", "from": sender, "to": to}
            self._store.note({"at": datetime.now(UTC).isoformat(), **opt_out})
        entry = self._message("received", sender=sender, to=to, body=body, sid=f"SM{uuid4().hex}")
        (record,) = await self._store.write([entry])
        form = inbound_form(entry, keyword)
        webhook = self._twilio.webhook(record.id, "inbound", url, form)
        self._twilio.lifecycle.aside(self._deliver(webhook, sender=sender, to=to))
        return {"id": record.id, "opt_out_type": keyword}

    async def _deliver(self, webhook: Callback, *, sender: str, to: str) -> None:
        """Post the text; what the answer's TwiML says is texted back to the customer."""
        twiml = await self._courier.post(webhook) or ""
        for reply in TWIML_MESSAGE.findall(twiml):
            body = html.unescape(re.sub(r"<[^>]+>", "", reply)).strip()
            stopped = self._twilio.opted_out(sender, to)
            sid = None if stopped else f"SM{uuid4().hex}"
            entry = self._message(
                "refused" if stopped else "accepted", sender=to, to=sender, body=body, sid=sid
            )
            (record,) = await self._store.write([entry | ({"code": 21610} if stopped else {})])
            if record.taken:
                self._twilio.start(record)

    def _message(self, outcome: str, *, sender: str, to: str, body: str, sid: str | None) -> Entry:
        text = segment(body)
        return {
            "at": datetime.now(UTC).isoformat(),
            "fault": None,
            "provider": "twilio",
            "kind": "inbound" if outcome == "received" else "reply",
            "id": sid,
            "outcome": outcome,
            "first_status": {"accepted": "queued"}.get(outcome, outcome),
            "account_sid": self._twilio.settings.twilio_account_sid,
            "direction": "inbound" if outcome == "received" else "outbound-reply",
            "to": to,
            "from": sender,
            "from_given": True,
            "messaging_service_sid": None,
            "body": body,
            "media": [],
            "encoding": text.encoding,
            "num_segments": text.segments,
            "status_callback": None,
            "validity_period": None,
            "send_at": None,
        }

    def engage(self, given: Entry) -> Entry:
        """A customer opens an email, clicks in it, or reports it; `link`, `user_agent` and `ip` may be given."""
        record = self._store.by_id.get(str(given.get("email_id", "")))
        if record is None or record.entry["provider"] != "resend":
            raise BadRequestError("email_id", "no such email", 404)
        kind = str(given.get("kind", ""))
        if kind not in ENGAGEMENTS:
            raise BadRequestError("kind", f"must be one of {', '.join(ENGAGEMENTS)}")
        link = str(given.get("link") or self._first_link(record))
        agent, ip = str(given.get("user_agent") or ""), str(given.get("ip") or "203.0.113.7")
        detail = BOUNCE if kind == "bounced" else engagement(kind, link=link, user_agent=agent, ip=ip)
        for address in record.entry["to"] if kind in SUPPRESSES else ():
            if not bare(address).endswith("@" + DOMAIN):  # Resend's test addresses stay usable
                self._store.suppress(bare(address), SUPPRESSES[kind], record.id)
        plan = self._resend.faults.draw_callbacks("resend", [bare(address) for address in record.entry["to"]])
        self._resend.lifecycle.start(
            record, [Step(kind, 0.0)], plan, lambda record: self._resend.event(record, kind, detail)
        )
        return {"email_id": record.id, "kind": kind}

    def _first_link(self, record: Record) -> str:
        found = LINK.search(self._store.full(record).get("html") or "")
        return html.unescape(found.group(1)) if found else "https://resend.com"


def keyword_of(body: str) -> str | None:
    """STOP, START or HELP when the text is one of Twilio's keywords and nothing else."""
    word = body.strip().upper()
    return next((kind for kind, words in KEYWORDS.items() if word in words), None)


def inbound_form(entry: Entry, keyword: str | None) -> dict[str, str]:
    """The fields of Twilio's inbound webhook; places are unknown and therefore empty."""
    places = dict.fromkeys(
        ("FromCity", "FromState", "FromZip", "FromCountry", "ToCity", "ToState", "ToZip", "ToCountry"), ""
    )
    form = {
        **places,
        "AccountSid": entry["account_sid"],
        "ApiVersion": API_VERSION,
        "Body": entry["body"],
        "From": entry["from"],
        "MessageSid": entry["id"],
        "NumMedia": "0",
        "NumSegments": str(entry["num_segments"]),
        "SmsMessageSid": entry["id"],
        "SmsSid": entry["id"],
        "SmsStatus": "received",
        "To": entry["to"],
    }
    return form | ({"OptOutType": keyword} if keyword else {})
