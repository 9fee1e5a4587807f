"""Resend's error types, event types and known opening machines as data (resend.com/docs/api-reference/errors, …/webhooks)."""

from collections.abc import Mapping

from core.vocabulary import ErrorClass, EventKind, OutcomeKind
from delivery.messages import Outcome

_REFUSED, _LATER, _UNKNOWN = OutcomeKind.REFUSED_FOR_GOOD, OutcomeKind.RETRY_LATER, OutcomeKind.UNKNOWN
_QUOTA = OutcomeKind.QUOTA_EXHAUSTED

ACCOUNT = Outcome(_REFUSED, error_class=ErrorClass.PROVIDER_ACCOUNT, misconfigured=True)
OUR_BUG = Outcome(_REFUSED, error_class=ErrorClass.OURS)
BAD_ADDRESS = Outcome(
    _REFUSED, error_class=ErrorClass.PERMANENT_ADDRESS, suppress_address=True, next_channel=True
)
BUSY = Outcome(_LATER, error_class=ErrorClass.CAPACITY)
SERVER = Outcome(_UNKNOWN, error_class=ErrorClass.TRANSIENT_NETWORK)
HOUR = 3600.0

CODES: Mapping[str, Outcome] = {
    # keys, domains, plan
    "missing_api_key": ACCOUNT,
    "invalid_api_key": ACCOUNT,
    "restricted_api_key": ACCOUNT,
    "invalid_permissions": ACCOUNT,
    "invalid_access": ACCOUNT,
    "invalid_region": ACCOUNT,
    "invalid_from_address": ACCOUNT,
    "not_found": ACCOUNT,
    "method_not_allowed": ACCOUNT,
    # the request
    "validation_error": OUR_BUG,
    "missing_required_field": OUR_BUG,
    "missing_required_fields": OUR_BUG,
    "invalid_parameter": OUR_BUG,
    "invalid_attachment": OUR_BUG,
    "invalid_scope": OUR_BUG,
    "invalid_idempotency_key": OUR_BUG,
    "invalid_to_address": BAD_ADDRESS,
    "security_error": Outcome(_REFUSED, error_class=ErrorClass.CONTENT_POLICY, next_channel=True),
    # The key was used with another body within 24 h: what it first carried was probably accepted.
    "invalid_idempotent_request": Outcome(_UNKNOWN, error_class=ErrorClass.UNKNOWN),
    "concurrent_idempotent_requests": Outcome(_LATER, error_class=ErrorClass.CAPACITY, retry_after=5.0),
    # rate and quota
    "rate_limit_exceeded": BUSY,
    "daily_quota_exceeded": Outcome(_QUOTA, error_class=ErrorClass.CAPACITY, retry_after=HOUR),
    "monthly_quota_exceeded": Outcome(_QUOTA, error_class=ErrorClass.CAPACITY, retry_after=6 * HOUR),
    # their server
    "application_error": SERVER,
    "internal_server_error": SERVER,
    "service_unavailable": SERVER,
}

# A request that can't be taken is our bug, unless it is the recipient's field that the text names.
RECIPIENT_FIELD = "`to`"

EVENTS: Mapping[str, EventKind] = {
    "email.scheduled": EventKind.QUEUED,
    "email.sent": EventKind.SENT,
    "email.delivered": EventKind.DELIVERED,
    "email.delivery_delayed": EventKind.DEFERRED,
    "email.bounced": EventKind.BOUNCED_HARD,
    "email.complained": EventKind.COMPLAINED,
    "email.opened": EventKind.OPENED,
    "email.clicked": EventKind.CLICKED,
    "email.failed": EventKind.FAILED,
    "email.suppressed": EventKind.SUPPRESSED,
    "email.received": EventKind.RECEIVED,
    "suppression.added": EventKind.SUPPRESSED,
}

# `last_event` of a mail in Resend's list and lookup. It does not tell of what kind a bounce was, nor when and by what a
# mail was opened: the address is not condemned for it, and an opening proves the delivery and no more.
LAST_EVENTS: Mapping[str, EventKind] = {
    "queued": EventKind.QUEUED,
    "canceled": EventKind.FAILED,
    **{name.removeprefix("email."): kind for name, kind in EVENTS.items() if name.startswith("email.")},
    "bounced": EventKind.BOUNCED_SOFT,
    "opened": EventKind.DELIVERED,
    "clicked": EventKind.DELIVERED,
}

# Only a permanent bounce proves anything about the address.
BOUNCES: Mapping[str, EventKind] = {
    "permanent": EventKind.BOUNCED_HARD,
    "transient": EventKind.BOUNCED_SOFT,
    "undetermined": EventKind.BOUNCED_SOFT,
}

ERROR_CLASSES: Mapping[EventKind, ErrorClass] = {
    EventKind.BOUNCED_HARD: ErrorClass.PERMANENT_ADDRESS,
    EventKind.BOUNCED_SOFT: ErrorClass.TRANSIENT_NETWORK,
    EventKind.COMPLAINED: ErrorClass.PERMANENT_CONSENT,
    EventKind.SUPPRESSED: ErrorClass.PERMANENT_ADDRESS,
    EventKind.FAILED: ErrorClass.UNKNOWN,
}
SUPPRESSING = frozenset({EventKind.BOUNCED_HARD, EventKind.COMPLAINED, EventKind.SUPPRESSED})
