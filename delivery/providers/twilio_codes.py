"""Twilio's error codes and statuses as data (twilio.com/docs/api/errors, twilio.com/docs/messaging/api/message-resource).

One table for both moments: a code can refuse the create call or come later with an `undelivered` status.
"""

from collections.abc import Mapping

from core.vocabulary import ErrorClass, EventKind, OutcomeKind
from delivery.messages import Outcome

_REFUSED, _LATER, _UNKNOWN = OutcomeKind.REFUSED_FOR_GOOD, OutcomeKind.RETRY_LATER, OutcomeKind.UNKNOWN

ACCOUNT = Outcome(_REFUSED, error_class=ErrorClass.PROVIDER_ACCOUNT, misconfigured=True)
NOT_PERMITTED_HERE = Outcome(_REFUSED, error_class=ErrorClass.PROVIDER_ACCOUNT)
NO_SUCH_MOBILE = Outcome(
    _REFUSED, error_class=ErrorClass.PERMANENT_ADDRESS, suppress_address=True, next_channel=True
)
OPTED_OUT = Outcome(
    _REFUSED, error_class=ErrorClass.PERMANENT_CONSENT, revoke_consent=True, next_channel=True
)
FILTERED = Outcome(_REFUSED, error_class=ErrorClass.CONTENT_POLICY, next_channel=True)
OUR_BUG = Outcome(_REFUSED, error_class=ErrorClass.OURS)
BUSY = Outcome(_LATER, error_class=ErrorClass.CAPACITY)
SERVER = Outcome(_UNKNOWN, error_class=ErrorClass.TRANSIENT_NETWORK)
HOUR = 3600.0

CODES: Mapping[str, Outcome] = {
    # the request rate: never processed, always safe to repeat
    "20429": BUSY,
    "21611": BUSY,
    "30001": BUSY,
    # their server: may have sent
    "20500": SERVER,
    "20503": SERVER,
    # our account, key or sender
    "20003": ACCOUNT,
    "20404": ACCOUNT,
    "21212": ACCOUNT,
    "21606": ACCOUNT,
    "21608": ACCOUNT,
    "21659": ACCOUNT,
    "30002": ACCOUNT,
    "30032": ACCOUNT,
    "30034": ACCOUNT,
    # region or pair not permitted: another provider may
    "21408": NOT_PERMITTED_HERE,
    "21612": NOT_PERMITTED_HERE,
    # not a (mobile) number
    "21211": NO_SUCH_MOBILE,
    "21614": NO_SUCH_MOBILE,
    "21635": NO_SUCH_MOBILE,
    "30006": NO_SUCH_MOBILE,
    # an unknown handset may come back: the address is suppressed by the second strike, not by the first
    "30005": Outcome(_REFUSED, error_class=ErrorClass.PERMANENT_ADDRESS, next_channel=True),
    "21610": OPTED_OUT,
    "21617": OUR_BUG,
    "21619": OUR_BUG,
    # after acceptance
    "30003": Outcome(_LATER, error_class=ErrorClass.TRANSIENT_NETWORK, retry_after=2 * HOUR),
    "30004": FILTERED,
    "30007": FILTERED,
    "30008": Outcome(_LATER, error_class=ErrorClass.UNKNOWN),
    "30022": BUSY,
    "30023": Outcome(_LATER, error_class=ErrorClass.CAPACITY, retry_after=6 * HOUR),
    "30027": Outcome(_LATER, error_class=ErrorClass.CAPACITY, retry_after=6 * HOUR),
    "30036": Outcome(_REFUSED, error_class=ErrorClass.EXPIRED, next_channel=True),
    "30047": Outcome(_LATER, error_class=ErrorClass.TRANSIENT_NETWORK),
    "30410": Outcome(_LATER, error_class=ErrorClass.TRANSIENT_NETWORK),
    "30610": Outcome(_LATER, error_class=ErrorClass.CAPACITY, retry_after=HOUR),
}

# A message that was accepted and did not arrive is worth another try where its code says "later": how often at most.
RETRIES: Mapping[str, int] = {"30003": 2, "30008": 1}
_AS_THE_TYPE_SAYS = 9
"""For the other codes: the message type's own retries are the bound."""

STATUSES: Mapping[str, EventKind] = {
    "accepted": EventKind.QUEUED,
    "scheduled": EventKind.QUEUED,
    "queued": EventKind.QUEUED,
    "sending": EventKind.QUEUED,
    "sent": EventKind.SENT,
    "partially_delivered": EventKind.SENT,  # not a receipt for the whole message
    "delivered": EventKind.DELIVERED,
    "read": EventKind.OPENED,
    "undelivered": EventKind.FAILED,
    "failed": EventKind.FAILED,
    "canceled": EventKind.FAILED,
    "receiving": EventKind.RECEIVED,
    "received": EventKind.RECEIVED,
}


def event_kind(status: str, code: str) -> EventKind:
    """Our word for a status; a failure is a hard bounce, a soft one or neither by its code's class."""
    kind = STATUSES.get(status, EventKind.UNRECOGNISED)
    if kind is not EventKind.FAILED or code not in CODES:
        return kind
    row = CODES[code]
    if row.error_class is ErrorClass.PERMANENT_ADDRESS:
        return EventKind.BOUNCED_HARD
    return EventKind.BOUNCED_SOFT if row.kind is OutcomeKind.RETRY_LATER else EventKind.FAILED


def retries(code: str) -> int:
    """How often a message that failed with `code` after its acceptance is worth another try; 0 for never."""
    row = CODES.get(code)
    if row is None or row.kind is not OutcomeKind.RETRY_LATER:
        return 0
    return RETRIES.get(code, _AS_THE_TYPE_SAYS)
