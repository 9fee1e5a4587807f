"""Amazon SNS carries SMS when Twilio can't: `Publish` to a phone number. No idempotency key, no list, no lookup."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from core.clock import utc_now
from core.settings import Settings
from core.vocabulary import Channel, EventKind, OutcomeKind
from delivery.messages import LEASE_OVER, DeliveryEvent, Outcome, Transmission
from delivery.providers import answers, aws, gate
from delivery.providers.base import ProviderRecord, RawCallback
from delivery.providers.side_by_side import SideBySide
from delivery.providers.sns_inbox import Fetch, SnsInbox

# Optimised for reliable delivery; "Promotional" would be optimised for cost.
_ATTRIBUTES = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}}


class SnsProvider:
    """SMS through Amazon SNS; two-way numbers tell us of inbound messages through a topic."""

    name = "sns"
    channel = Channel.SMS
    batch_size = 1
    idempotent = False

    def __init__(
        self, settings: Settings, *, clock: Callable[[], datetime] = utc_now, fetch: Fetch | None = None
    ) -> None:
        self._clock = clock
        self._calls = SideBySide("sns", settings.provider_connections)
        self._client = aws.client("sns", settings)
        self._inbox = SnsInbox(settings, fetch=fetch, clock=clock)
        self.confirm = self._inbox.confirm

    def batchable(self, transmission: Transmission) -> bool:  # noqa: ARG002  (the contract's name)
        """False: SNS publishes to one number per call."""
        return False

    def transmit(self, transmissions: Sequence[Transmission], *, key: str) -> list[Outcome]:  # noqa: ARG002  (SNS has no idempotency keys for numbers)
        """One publish call each; the outcomes in the same order. Never raises."""
        return self._calls.map(self._publish, transmissions)

    def lookup(self, reference: str) -> DeliveryEvent | None:  # noqa: ARG002  (the contract's name)
        """None: SNS tells of deliveries in CloudWatch only."""
        return None

    def search(self, *, address: str | None, since: datetime, until: datetime) -> list[ProviderRecord] | None:  # noqa: ARG002  (the contract's names)
        """None: SNS keeps no list."""
        return None

    def events(self, callback: RawCallback) -> list[DeliveryEvent]:
        """The inbound message of a genuine notification, or an UNRECOGNISED event (`confirm` it if it asks to)."""
        envelope = self._inbox.open(callback)
        message = envelope.message
        if "originationNumber" not in message:
            return [envelope.unrecognised(self.name)]
        return [
            DeliveryEvent(
                provider=self.name,
                kind=EventKind.RECEIVED,
                event_key=envelope.message_id,
                at=envelope.at,
                reference=str(message.get("inboundMessageId", "")),
                address=str(message["originationNumber"]),
                text=str(message.get("messageBody", "")),
                raw=message,
            )
        ]

    def _publish(self, transmission: Transmission) -> Outcome:
        try:
            with gate.open_until(transmission.send_before):
                if gate.is_closed():
                    return LEASE_OVER
                answer = self._client.publish(
                    PhoneNumber=transmission.address,
                    Message=transmission.message.body,
                    MessageAttributes=_ATTRIBUTES,
                )
        except aws.FAILURES as failure:
            return aws.outcome(failure, self._clock())
        reference = aws.accepted_reference(answer)
        if not reference:
            return replace(answers.UNREADABLE, detail="an answer without a message id")
        return Outcome(OutcomeKind.ACCEPTED, reference=reference, units=transmission.message.units)
