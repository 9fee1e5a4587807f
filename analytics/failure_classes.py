"""What a provider's code or text means for what is done next: one versioned table for the triage of failures.

Raise `TABLE_VERSION` with every change: stored triage results name the version that made them. Codes are the vendors'
(twilio.com/docs/api/errors, resend.com/docs/api-reference/errors, AWS), texts are fragments of SMTP answers.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from core.vocabulary import ErrorClass

TABLE_VERSION = 1


class Act(StrEnum):
    """What process_failed_messages does with a failure."""

    SUPPRESS_AND_NEXT_CHANNEL = "suppress_and_next_channel"
    SUPPRESS = "suppress"
    QUARANTINE = "quarantine_template_and_sender"
    PAGE_AND_BREAK = "page_and_open_breaker"
    BACK_OFF = "back_off"
    RETRY = "retry_with_full_jitter_before_the_deadline"
    LET_REST = "let_rest"
    RETRY_ONCE = "retry_once_then_dead_letter"
    MEND_AND_REPLAY = "mend_our_bug_then_replay"


ACTS: Mapping[ErrorClass, Act] = MappingProxyType(
    {
        ErrorClass.PERMANENT_ADDRESS: Act.SUPPRESS_AND_NEXT_CHANNEL,
        ErrorClass.PERMANENT_CONSENT: Act.SUPPRESS,
        ErrorClass.CONTENT_POLICY: Act.QUARANTINE,
        ErrorClass.PROVIDER_ACCOUNT: Act.PAGE_AND_BREAK,
        ErrorClass.CAPACITY: Act.BACK_OFF,
        ErrorClass.TRANSIENT_NETWORK: Act.RETRY,
        ErrorClass.EXPIRED: Act.LET_REST,
        ErrorClass.OURS: Act.MEND_AND_REPLAY,
        ErrorClass.UNKNOWN: Act.RETRY_ONCE,
    }
)

_ADDRESS, _CONSENT, _CONTENT = (
    ErrorClass.PERMANENT_ADDRESS,
    ErrorClass.PERMANENT_CONSENT,
    ErrorClass.CONTENT_POLICY,
)
_ACCOUNT, _CAPACITY, _NETWORK = ErrorClass.PROVIDER_ACCOUNT, ErrorClass.CAPACITY, ErrorClass.TRANSIENT_NETWORK

_BY_PROVIDER: Mapping[str, Mapping[ErrorClass, str]] = {
    "twilio": {
        _ADDRESS: "21211 21614 21635 30005 30006",
        _CONSENT: "21610",
        _CONTENT: "30004 30007",
        _ACCOUNT: "20003 20404 21212 21408 21606 21608 21612 21659 30002 30032 30034",
        _CAPACITY: "20429 21611 30001 30022 30023 30027 30610",
        _NETWORK: "20500 20503 30003 30047 30410",
        ErrorClass.EXPIRED: "30036",
        ErrorClass.OURS: "21617 21619",
        ErrorClass.UNKNOWN: "30008",
    },
    "resend": {
        _ADDRESS: "invalid_to_address email.bounced permanent suppressed",
        _CONSENT: "email.complained",
        _CONTENT: "security_error",
        _ACCOUNT: "missing_api_key invalid_api_key restricted_api_key invalid_permissions invalid_access invalid_region "
        "invalid_from_address not_found method_not_allowed",
        _CAPACITY: "rate_limit_exceeded daily_quota_exceeded monthly_quota_exceeded concurrent_idempotent_requests",
        _NETWORK: "application_error internal_server_error service_unavailable email.delivery_delayed transient",
        ErrorClass.OURS: "validation_error missing_required_field missing_required_fields invalid_parameter "
        "invalid_attachment invalid_scope invalid_idempotency_key",
    },
    "aws": {
        _ADDRESS: "Permanent",
        _CONSENT: "OptedOutException Complaint",
        _CONTENT: "MessageRejected Reject",
        _ACCOUNT: "AccessDenied AccessDeniedException AccountSuspendedException AuthorizationError ExpiredToken "
        "ExpiredTokenException RequestExpired EndpointDisabled PlatformApplicationDisabled KMSAccessDenied KMSDisabled "
        "KMSInvalidState KMSNotFound KMSOptInRequired IncompleteSignature InvalidClientTokenId InvalidSecurity InvalidSignatureException "
        "MailFromDomainNotVerifiedException MissingAuthenticationToken "
        "MissingAuthenticationTokenException NotFound NotFoundException OptInRequired "
        "SendingPausedException SignatureDoesNotMatch UnrecognizedClientException",
        _CAPACITY: "Throttling ThrottlingException ThrottledException TooManyRequestsException RequestLimitExceeded "
        "KMSThrottling LimitExceededException",
        _NETWORK: "InternalError InternalFailure InternalServiceError ServiceUnavailable ServiceUnavailableException "
        "Transient",
        ErrorClass.OURS: "BadRequestException InvalidParameter InvalidParameterValue ParameterValueInvalid "
        "ValidationError ValidationException",
    },
}
FAMILY = {"sns": "aws", "ses": "aws", "amazon_sns": "aws", "amazon_ses": "aws"}
"""Providers that share another's codes."""

CODES: Mapping[tuple[str, str], ErrorClass] = MappingProxyType(
    {
        (provider, code.lower()): error_class
        for provider, classes in _BY_PROVIDER.items()
        for error_class, codes in classes.items()
        for code in codes.split()
    }
)

HTTP: Mapping[str, ErrorClass] = MappingProxyType(
    {"401": _ACCOUNT, "402": _ACCOUNT, "403": _ACCOUNT, "408": _NETWORK, "429": _CAPACITY}
    | dict.fromkeys(("500", "502", "503", "504", "not_written", "unanswered"), _NETWORK)
)
"""Statuses that mean the same at every provider, and our own words for a broken wire."""

TEXTS: tuple[tuple[str, ErrorClass], ...] = (
    (r"opted out|unsubscrib|complain|\bstop\b", _CONSENT),
    (r"quota|rate limit|too many|throttl|over its limit|mailbox (is )?full|\b4\.2\.2\b|\b452\b", _CAPACITY),
    (r"spam|blocked|filtered|polic(y|ies)|reputation|blacklist|dmarc|\b5\.7\.\d", _CONTENT),
    (
        r"no such (user|recipient)|user unknown|unknown user|does not exist|not a (valid|mobile) number|landline",
        _ADDRESS,
    ),
    (r"invalid (recipient|mailbox|number)|mailbox unavailable|\b5\.1\.[0-3]\b|\b550\b", _ADDRESS),
    (r"api key|credential|unauthori[sz]ed|forbidden|not verified|suspended", _ACCOUNT),
    (r"expired|validity", ErrorClass.EXPIRED),
    (
        r"time[d ]?-?out|connection|reset|unreachable|unavailable|try again|greylist|\b4\.[0-9]\.[0-9]\b",
        _NETWORK,
    ),
)
"""Fragments of the text in lower case, most telling first; the first that is found decides."""
