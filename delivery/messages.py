"""The values that travel down the pipeline: what is rendered, what is handed to a provider, what comes back.

Notification ──render──▶ SmsMessage | EmailMessage ──wrap──▶ Transmission ──provider──▶ Outcome … DeliveryEvent
"""

import math
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from core.values import value
from core.vocabulary import Channel, ErrorClass, EventKind, OutcomeKind


@value(frozen=True, slots=True)
class Attachment:
    """A file of a mail; `content_id` makes it an inline image (`cid:`)."""

    filename: str
    content_type: str
    content: bytes
    content_id: str | None = None


@value(frozen=True, slots=True)
class RenderedMessage:
    """Content ready for one channel: `body` is the SMS text or the mail's text part.

    `units` are what the channel bills by: SMS segments, or 1 per mail.
    """

    channel: Channel
    body: str
    units: int = 1
    subject: str = ""
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    template: str = ""


@value(frozen=True, slots=True)
class Transmission:
    """One attempt handed to a provider: everything it needs, nothing that it must decide.

    `key` is the idempotency key for providers that have them; `callback_root`, with our attempt id after it, is where
    they may tell what became of it (`callback_url`); `expires_at` becomes the provider's validity period.
    """

    attempt_id: UUID
    notification_id: UUID
    message_type: str
    address: str
    message: RenderedMessage
    key: str
    callback_root: str = ""
    expires_at: datetime | None = None
    send_before: float = math.inf
    """time.monotonic() after which our claim may have been taken over: then it must not be sent (RetryLater)."""

    @property
    def callback_url(self) -> str:
        """The URL for what becomes of this attempt, empty without a root."""
        return f"{self.callback_root}/{self.attempt_id}" if self.callback_root else ""


@value(frozen=True, slots=True)
class Outcome:
    """A provider's answer, named by what we do next.

    `reference` is the provider's id (Accepted); `retry_after` seconds (RetryLater, QuotaExhausted); `code` the
    provider's own code; `error_class` our class of it; `detail` a text free of personal data.
    `suppress_address` / `revoke_consent` / `misconfigured` are the side effects that the provider's table asks for.
    """

    kind: OutcomeKind
    reference: str = ""
    code: str = ""
    error_class: ErrorClass | None = None
    retry_after: float | None = None
    detail: str = ""
    units: int | None = None
    price: Decimal | None = None
    suppress_address: bool = False
    revoke_consent: bool = False
    misconfigured: bool = False
    next_channel: bool = False


LEASE_OVER = Outcome(OutcomeKind.RETRY_LATER, code="lease_over", error_class=ErrorClass.CAPACITY)
"""Not sent, because the claim would have run out or the worker stops: released at once, no try counted."""


@value(frozen=True, slots=True)
class DeliveryEvent:
    """One thing that a provider told us later, in our words, with the raw payload kept.

    `event_key` is unique per provider and event (its id, or reference + status) and dedupes repetitions.
    `attempt_id` is known when the provider carried it for us (callback URL or tag), else matched by `reference`.
    Of a failure the provider's table also says how often another try is worth it (`retries`, not before `retry_after`
    seconds), and whether it is our account that does not work (`misconfigured`).
    """

    provider: str
    kind: EventKind
    event_key: str
    at: datetime
    reference: str = ""
    attempt_id: UUID | None = None
    code: str = ""
    error_class: ErrorClass | None = None
    is_machine: bool = False
    address: str = ""
    text: str = ""
    price: Decimal | None = None
    units: int | None = None
    suppress_address: bool = False
    revoke_consent: bool = False
    retries: int = 0
    retry_after: float | None = None
    misconfigured: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)
