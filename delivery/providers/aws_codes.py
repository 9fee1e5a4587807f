"""Error codes of Amazon SNS `Publish` and SES v2 `SendEmail` as data (docs.aws.amazon.com, the services' API references)."""

from collections.abc import Mapping

from core.vocabulary import ErrorClass, OutcomeKind
from delivery.messages import Outcome

_REFUSED, _LATER, _UNKNOWN = OutcomeKind.REFUSED_FOR_GOOD, OutcomeKind.RETRY_LATER, OutcomeKind.UNKNOWN

ACCOUNT = Outcome(_REFUSED, error_class=ErrorClass.PROVIDER_ACCOUNT, misconfigured=True)
OUR_BUG = Outcome(_REFUSED, error_class=ErrorClass.OURS)
BAD_ADDRESS = Outcome(
    _REFUSED, error_class=ErrorClass.PERMANENT_ADDRESS, suppress_address=True, next_channel=True
)
OPTED_OUT = Outcome(
    _REFUSED, error_class=ErrorClass.PERMANENT_CONSENT, revoke_consent=True, next_channel=True
)
FILTERED = Outcome(_REFUSED, error_class=ErrorClass.CONTENT_POLICY, next_channel=True)
BUSY = Outcome(_LATER, error_class=ErrorClass.CAPACITY)
QUOTA = Outcome(OutcomeKind.QUOTA_EXHAUSTED, error_class=ErrorClass.CAPACITY, retry_after=3600.0)
SERVER = Outcome(_UNKNOWN, error_class=ErrorClass.TRANSIENT_NETWORK)

CODES: Mapping[str, Outcome] = {
    # refused before it was looked at
    "Throttling": BUSY,
    "ThrottlingException": BUSY,
    "ThrottledException": BUSY,
    "TooManyRequestsException": BUSY,
    "RequestLimitExceeded": BUSY,
    "KMSThrottling": BUSY,
    "LimitExceededException": QUOTA,
    # our keys, rights, sender or account
    "AccessDenied": ACCOUNT,
    "AccessDeniedException": ACCOUNT,
    "AccountSuspendedException": ACCOUNT,
    "AuthorizationError": ACCOUNT,
    "ExpiredToken": ACCOUNT,
    "ExpiredTokenException": ACCOUNT,
    "IncompleteSignature": ACCOUNT,
    "InvalidClientTokenId": ACCOUNT,
    "InvalidSecurity": ACCOUNT,
    "InvalidSignatureException": ACCOUNT,
    "KMSAccessDenied": ACCOUNT,
    "KMSDisabled": ACCOUNT,
    "KMSInvalidState": ACCOUNT,
    "KMSNotFound": ACCOUNT,
    "KMSOptInRequired": ACCOUNT,
    "MailFromDomainNotVerifiedException": ACCOUNT,
    "MissingAuthenticationToken": ACCOUNT,
    "MissingAuthenticationTokenException": ACCOUNT,
    "NotFound": ACCOUNT,
    "NotFoundException": ACCOUNT,
    "OptInRequired": ACCOUNT,
    "RequestExpired": ACCOUNT,
    "SendingPausedException": ACCOUNT,
    "SignatureDoesNotMatch": ACCOUNT,
    "UnrecognizedClientException": ACCOUNT,
    "EndpointDisabled": ACCOUNT,
    "PlatformApplicationDisabled": ACCOUNT,
    # the message
    "MessageRejected": FILTERED,
    "OptedOutException": OPTED_OUT,
    "BadRequestException": OUR_BUG,
    "InvalidParameter": OUR_BUG,
    "InvalidParameterValue": OUR_BUG,
    "ParameterValueInvalid": OUR_BUG,
    "ValidationError": OUR_BUG,
    "ValidationException": OUR_BUG,
    # their server: may have sent
    "InternalError": SERVER,
    "InternalFailure": SERVER,
    "InternalServiceError": SERVER,
    "ServiceUnavailable": SERVER,
    "ServiceUnavailableException": SERVER,
}

# One code, several meanings: a fragment of the text (in lower case) decides, the first one found.
TEXTS: tuple[tuple[str, Outcome], ...] = (
    ("opted out", OPTED_OUT),
    ("daily message quota", QUOTA),
    ("not verified", ACCOUNT),
    ("phonenumber", BAD_ADDRESS),
    ("phone number is not valid", BAD_ADDRESS),
    ("illegal address", BAD_ADDRESS),
    ("invalid domain name", BAD_ADDRESS),
    ("missing final '@domain'", BAD_ADDRESS),
    ("local address contains", BAD_ADDRESS),
    ("domain contains", BAD_ADDRESS),
)
_DECIDED_BY_TEXT = frozenset({
    "BadRequestException", "InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationError",
    "ValidationException", "MessageRejected", "Throttling", "ThrottlingException", "TooManyRequestsException",
    "LimitExceededException",
})  # fmt: skip


def meaning(code: str, text: str, default: Outcome) -> Outcome:
    """The row of a code, narrowed by its text where the code alone says too little."""
    if code in _DECIDED_BY_TEXT:
        plain = text.lower()
        for fragment, row in TEXTS:
            if fragment in plain:
                return row
    return CODES.get(code, default)
