"""Resend carries email: single mails and batches of up to 100 through the official SDK, over our own HTTP client.

Every send has an idempotency key: a repeat with the same key and body within 24 h is answered, not sent again.
"""

import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import resend

from core.clock import utc_now
from core.settings import Settings
from core.vocabulary import Channel, OutcomeKind
from delivery.messages import Attachment, DeliveryEvent, Outcome, Transmission
from delivery.providers import answers, attachment_types, gate, resend_events
from delivery.providers.base import Pace, ProviderRecord, RawCallback
from delivery.providers.email_tags import tags
from delivery.providers.http import (
    Refused,
    Unreadable,
    WireFailure,
    parse_object,
    retry_after,
)
from delivery.providers.resend_codes import BAD_ADDRESS, CODES, OUR_BUG, RECIPIENT_FIELD
from delivery.providers.resend_sdk import OurClient, unwrapped

BATCH_SIZE = 100
MOST_ATTACHMENT_BYTES = (
    40 * 1024 * 1024
)  # per mail, after base64 (resend.com/docs/dashboard/emails/attachments)
TOO_MANY = 429
_PAGE = 100
_MOST_PAGES = 2000
_MOST_PAUSES = 10
_LONGEST_PAUSE = 5.0


class ResendProvider:
    """Email through Resend; one per process, because the SDK keeps its settings in module globals."""

    name = "resend"
    channel = Channel.EMAIL
    batch_size = BATCH_SIZE
    idempotent = True

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._from = settings.resend_from
        secrets = (settings.resend_webhook_secret, settings.resend_webhook_secret_previous)
        self._secrets = tuple(secret.get_secret_value() for secret in secrets if secret is not None)
        self._client = OurClient(settings)
        resend.api_key = settings.resend_api_key.get_secret_value()
        resend.default_http_client = self._client
        if settings.resend_base_url:
            resend.api_url = settings.resend_base_url.rstrip("/")

    @property
    def pace(self) -> Pace | None:
        """The rate that the last answer's `ratelimit-*` headers spoke of; None before the first."""
        return self._client.pace

    def batchable(self, transmission: Transmission) -> bool:
        """False for a mail with attachments: the batch endpoint takes none."""
        return not transmission.message.attachments

    def transmit(self, transmissions: Sequence[Transmission], *, key: str) -> list[Outcome]:
        """One call for all (at most 100, without attachments unless alone); the outcomes in the same order.

        Never raises for what happens on the wire; ValueError for members that can't share a call.
        """
        if len(transmissions) == 1:
            return [self._send(transmissions[0], key)]
        if len(transmissions) > BATCH_SIZE or not all(map(self.batchable, transmissions)):
            raise ValueError(f"a batch is at most {BATCH_SIZE} mails without attachments")
        return self._send_batch(transmissions, key) if transmissions else []

    def lookup(self, reference: str) -> DeliveryEvent | None:
        """The present status by mail id; None when Resend does not know it or can't say."""
        try:
            mail = unwrapped(lambda: resend.Emails.get(reference))
            return resend_events.of_mail(mail, self._clock())
        except (WireFailure, KeyError):
            return None

    def search(self, *, address: str | None, since: datetime, until: datetime) -> list[ProviderRecord] | None:
        """Resend's list between the two instants, newest first; it has no filter, so all of it is read back to `since`."""
        found = []
        try:
            for mail in self._listed():
                record = resend_events.record(mail, self._clock())
                if record.created_at < since:
                    break
                if record.created_at <= until and address in {None, record.address}:
                    found.append(record)
        except (
            WireFailure,
            KeyError,
            ValueError,
            TypeError,
        ):  # a list that is not as documented says nothing
            return None
        return found

    def events(self, callback: RawCallback) -> list[DeliveryEvent]:
        """The one event of a genuine webhook."""
        return [resend_events.event(callback, self._secrets)]

    def _send(self, transmission: Transmission, key: str) -> Outcome:
        wrong = attachment_types.problem(transmission.message.attachments, most_bytes=MOST_ATTACHMENT_BYTES)
        if wrong:
            return replace(OUR_BUG, code="attachment", detail=wrong)
        mail = self._mail(transmission)
        try:
            with gate.open_until(transmission.send_before):
                sent = unwrapped(lambda: resend.Emails.send(mail, {"idempotency_key": key}))
        except WireFailure as failure:
            return self._outcome(failure)
        return _accepted(sent)

    def _send_batch(self, transmissions: Sequence[Transmission], key: str) -> list[Outcome]:
        mails = [self._mail(each) for each in transmissions]
        try:
            with gate.open_until(min(each.send_before for each in transmissions)):
                answer = unwrapped(
                    lambda: resend.Batch.send(
                        mails, {"idempotency_key": key, "batch_validation": "permissive"}
                    )
                )
        except WireFailure as failure:
            return [self._outcome(failure)] * len(mails)
        try:
            refused = {
                int(error["index"]): str(error.get("message", "")) for error in answer.get("errors") or ()
            }
            accepted = iter(answer["data"])
            outcomes = [
                _invalid(refused[index]) if index in refused else _accepted(next(accepted))
                for index in range(len(mails))
            ]
            whole = next(accepted, None) is None
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, StopIteration):
            whole = False
        if not whole:  # which id belongs to which mail can't be told, but all were probably accepted
            return [replace(answers.UNREADABLE, detail="a batch answer of another length")] * len(mails)
        return outcomes

    def _mail(self, transmission: Transmission) -> Any:
        message = transmission.message
        mail: dict[str, Any] = {
            "from": self._from,
            "to": [transmission.address],
            "subject": message.subject,
            "text": message.body,
            "tags": [{"name": name, "value": value} for name, value in tags(transmission)],
        }
        if message.html:
            mail["html"] = message.html
        if message.headers:
            mail["headers"] = dict(message.headers)
        if message.attachments:
            mail["attachments"] = [_attachment(each) for each in message.attachments]
        return mail

    def _outcome(self, failure: WireFailure) -> Outcome:
        if not isinstance(failure, Refused):
            return answers.of_failure(failure)
        reply = failure.reply
        try:
            said: Mapping[str, Any] = parse_object(reply.body)
        except Unreadable:
            said = {}
        code, message = str(said.get("name") or reply.status), str(said.get("message") or "")
        row = answers.by_status(reply.status)
        if reply.status < 500 and reply.status not in {401, 403}:
            row = CODES.get(code, row)
        if row is OUR_BUG and RECIPIENT_FIELD in message:
            row = BAD_ADDRESS
        return replace(
            row,
            code=code,
            detail=answers.detail(message),
            retry_after=retry_after(reply.headers, self._clock()) or row.retry_after,
        )

    def _listed(self) -> Iterator[Mapping[str, Any]]:
        params: resend.Emails.ListParams = {"limit": _PAGE}
        for _ in range(_MOST_PAGES):
            page = self._page(params)
            yield from page["data"]
            if not page.get("has_more") or not page["data"]:
                return
            params = {"limit": _PAGE, "after": page["data"][-1]["id"]}
        raise ValueError("a list that is not whole says nothing")

    def _page(self, params: resend.Emails.ListParams) -> Any:
        """A page of the list, read no faster than Resend allows; reading one again harms nobody."""
        for _ in range(_MOST_PAUSES):
            if self.pace is not None and self.pace.remaining == 0:
                time.sleep(min(self.pace.reset, _LONGEST_PAUSE))
            try:
                return unwrapped(lambda: resend.Emails.list(params))
            except Refused as refused:
                if refused.reply.status != TOO_MANY:
                    raise
                wanted = retry_after(refused.reply.headers, self._clock()) or 1.0
                time.sleep(min(wanted, _LONGEST_PAUSE))
        raise ValueError("a list that is never given says nothing")


def _accepted(sent: Mapping[str, Any]) -> Outcome:
    reference = sent.get("id")
    if not reference:
        return replace(answers.UNREADABLE, detail="an answer without an id")
    return Outcome(OutcomeKind.ACCEPTED, reference=str(reference), units=1)


def _invalid(message: str) -> Outcome:
    row = BAD_ADDRESS if RECIPIENT_FIELD in message else OUR_BUG
    return replace(row, code="validation_error", detail=answers.detail(message))


def _attachment(attachment: Attachment) -> dict[str, str]:
    """The service's own form; an inline image is found in the HTML by its content id."""
    described = {
        "filename": attachment.filename,
        "content": b64encode(attachment.content).decode(),
        "content_type": attachment.content_type,
    }
    return described | ({"content_id": attachment.content_id} if attachment.content_id else {})
