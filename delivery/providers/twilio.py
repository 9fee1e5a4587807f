"""Twilio carries SMS: the Messages API through the official SDK, over our own HTTP client.

Creating a message has no idempotency key: whatever may have been written and was not answered is Unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from twilio.base import values
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from core.clock import utc_now
from core.settings import Settings
from core.vocabulary import Channel, OutcomeKind
from delivery.messages import DeliveryEvent, Outcome, Transmission
from delivery.providers import answers, gate, twilio_events
from delivery.providers.base import ProviderRecord, RawCallback
from delivery.providers.http import (
    Refused,
    Unreadable,
    WireFailure,
    parse_object,
    retry_after,
)
from delivery.providers.side_by_side import SideBySide
from delivery.providers.twilio_codes import CODES
from delivery.providers.twilio_sdk import OurClient

LONGEST_VALIDITY = 36_000
_PAGE = 200
_LONGEST_LIST = 200_000


class TwilioProvider:
    """SMS through Twilio: one call each, many at a time through a bounded pool of keep-alive connections."""

    name = "twilio"
    channel = Channel.SMS
    batch_size = 1
    idempotent = False

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._calls = SideBySide("twilio", settings.provider_connections)
        token = settings.twilio_auth_token.get_secret_value()
        self._client = Client(settings.twilio_account_sid, token, http_client=OurClient(settings))
        if settings.twilio_base_url:
            self._client.api.base_url = settings.twilio_base_url.rstrip("/")
        self._sender = (
            {"messaging_service_sid": settings.twilio_messaging_service_sid}
            if settings.twilio_messaging_service_sid
            else {"from_": settings.twilio_phone_number}
        )
        previous = settings.twilio_auth_token_previous
        self._tokens = (token, previous.get_secret_value() if previous else "")

    def batchable(self, transmission: Transmission) -> bool:  # noqa: ARG002  (the contract's name)
        """False: Twilio takes one message per call."""
        return False

    def transmit(self, transmissions: Sequence[Transmission], *, key: str) -> list[Outcome]:  # noqa: ARG002  (Twilio has no idempotency keys)
        """One create call each; the outcomes in the same order. Never raises."""
        return self._calls.map(self._create, transmissions)

    def lookup(self, reference: str) -> DeliveryEvent | None:
        """The present status by message SID; None when Twilio does not know it or can't say."""
        try:
            return twilio_events.of_message(self._client.messages(reference).fetch(), self._clock())
        except WireFailure:
            return None

    def search(self, *, address: str | None, since: datetime, until: datetime) -> list[ProviderRecord] | None:
        """Twilio's list between the two instants, newest first; `body` tells apart messages to one address.

        With an address the whole list of that number is read from its new end, because Twilio's own date filter is
        over the sending time, which a waiting message does not have yet.
        """
        asked: dict[str, Any] = (
            {"to": address} if address else {"date_sent_after": since, "date_sent_before": until}
        )
        since = since.replace(microsecond=0)  # Twilio's times are whole seconds
        found = []
        read = 0
        try:
            for message in self._client.messages.stream(**asked, limit=_LONGEST_LIST, page_size=_PAGE):
                read += 1
                record = twilio_events.record(message, self._clock())
                if address and record.created_at < since:
                    break
                if since <= record.created_at <= until:
                    found.append(record)
        except (WireFailure, TwilioException):  # the SDK's word for a page without its list
            return None
        return found if read < _LONGEST_LIST else None  # a list that is not whole says nothing

    def events(self, callback: RawCallback) -> list[DeliveryEvent]:
        """The one event of a genuine status callback or inbound message."""
        return [twilio_events.event(callback, self._tokens, self._clock())]

    def _create(self, transmission: Transmission) -> Outcome:
        try:
            with gate.open_until(transmission.send_before):
                created = self._client.messages.create(
                    to=transmission.address,
                    body=transmission.message.body,
                    status_callback=transmission.callback_url or values.unset,
                    validity_period=self._validity(transmission.expires_at),
                    **self._sender,
                )
        except Refused as refused:
            return self._refusal(refused)
        except WireFailure as failure:
            return answers.of_failure(failure)
        if not created.sid:
            return replace(answers.UNREADABLE, detail="an answer without a sid")
        return Outcome(
            OutcomeKind.ACCEPTED, reference=created.sid, units=twilio_events.units(created.num_segments)
        )

    def _refusal(self, refused: Refused) -> Outcome:
        reply = refused.reply
        try:
            said: Mapping[str, Any] = parse_object(reply.body)
        except Unreadable:
            said = {}
        code = str(said.get("code") or reply.status)
        row = answers.by_status(reply.status)
        if reply.status < 500:  # after a 5xx the message may have gone out, whatever the code says
            row = CODES.get(code, row)
        return replace(
            row,
            code=code,
            detail=answers.detail(said.get("message") or said.get("detail")),
            retry_after=retry_after(reply.headers, self._clock()) or row.retry_after,
        )

    def _validity(self, expires_at: datetime | None) -> Any:
        if expires_at is None:
            return values.unset
        left = int((expires_at - self._clock()).total_seconds())
        return min(max(left, 1), LONGEST_VALIDITY)
