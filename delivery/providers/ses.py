"""Amazon SES carries email when Resend can't: `SendEmail` of the v2 API. No idempotency key, no list by time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.clock import utc_now
from core.settings import Settings
from core.vocabulary import Channel, OutcomeKind
from delivery.messages import LEASE_OVER, Attachment, DeliveryEvent, Outcome, Transmission
from delivery.providers import answers, attachment_types, aws, gate, ses_events
from delivery.providers.aws_codes import OUR_BUG
from delivery.providers.base import ProviderRecord, RawCallback
from delivery.providers.email_tags import tags
from delivery.providers.side_by_side import SideBySide
from delivery.providers.sns_inbox import Fetch, SnsInbox

MOST_ATTACHMENT_BYTES = 40 * 1024 * 1024  # the v2 API's limit for a whole message, after base64


class SesProvider:
    """Email through Amazon SES; its events come through an SNS topic and carry our ids as tags."""

    name = "ses"
    channel = Channel.EMAIL
    batch_size = 1
    idempotent = False

    def __init__(
        self, settings: Settings, *, clock: Callable[[], datetime] = utc_now, fetch: Fetch | None = None
    ) -> None:
        self._clock = clock
        self._from = settings.ses_from or settings.resend_from
        self._calls = SideBySide("ses", settings.provider_connections)
        self._client = aws.client("sesv2", settings)
        self._inbox = SnsInbox(settings, fetch=fetch, clock=clock)
        self.confirm = self._inbox.confirm

    def batchable(self, transmission: Transmission) -> bool:  # noqa: ARG002  (the contract's name)
        """False: SES's bulk call needs templates kept at SES."""
        return False

    def transmit(self, transmissions: Sequence[Transmission], *, key: str) -> list[Outcome]:  # noqa: ARG002  (SES has no idempotency keys)
        """One send call each; the outcomes in the same order. Never raises."""
        return self._calls.map(self._send, transmissions)

    def lookup(self, reference: str) -> DeliveryEvent | None:  # noqa: ARG002  (the contract's name)
        """None: SES answers by message id only to accounts that pay for its insights."""
        return None

    def search(self, *, address: str | None, since: datetime, until: datetime) -> list[ProviderRecord] | None:  # noqa: ARG002  (the contract's names)
        """None: SES keeps no list."""
        return None

    def events(self, callback: RawCallback) -> list[DeliveryEvent]:
        """The event of a genuine notification; UNRECOGNISED for a subscription to `confirm`."""
        return [ses_events.event(self._inbox.open(callback))]

    def _send(self, transmission: Transmission) -> Outcome:
        wrong = attachment_types.problem(transmission.message.attachments, most_bytes=MOST_ATTACHMENT_BYTES)
        if wrong:
            return replace(OUR_BUG, code="attachment", detail=wrong)
        try:
            with gate.open_until(transmission.send_before):
                if gate.is_closed():
                    return LEASE_OVER
                answer = self._client.send_email(**self._request(transmission))
        except aws.FAILURES as failure:
            return aws.outcome(failure, self._clock())
        reference = aws.accepted_reference(answer)
        if not reference:
            return replace(answers.UNREADABLE, detail="an answer without a message id")
        return Outcome(OutcomeKind.ACCEPTED, reference=reference, units=1)

    def _request(self, transmission: Transmission) -> dict[str, Any]:
        message = transmission.message
        body = {"Text": _utf8(message.body)} | ({"Html": _utf8(message.html)} if message.html else {})
        simple: dict[str, Any] = {"Subject": _utf8(message.subject), "Body": body}
        if message.headers:
            simple["Headers"] = [{"Name": name, "Value": value} for name, value in message.headers.items()]
        if message.attachments:
            simple["Attachments"] = [_attachment(each) for each in message.attachments]
        return {
            "FromEmailAddress": self._from,
            "Destination": {"ToAddresses": [transmission.address]},
            "Content": {"Simple": simple},
            "EmailTags": [{"Name": name, "Value": str(value)} for name, value in tags(transmission)],
        }


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}


def _attachment(attachment: Attachment) -> dict[str, Any]:
    described: dict[str, Any] = {
        "FileName": attachment.filename,
        "RawContent": attachment.content,
        "ContentType": attachment.content_type,
        "ContentTransferEncoding": "BASE64",
        "ContentDisposition": "INLINE" if attachment.content_id else "ATTACHMENT",
    }
    return described | ({"ContentId": attachment.content_id} if attachment.content_id else {})
