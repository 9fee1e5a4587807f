"""From failures on the wire and rows of error tables to outcomes, once for all providers."""

import re
from collections.abc import Mapping
from dataclasses import replace

from core.logs import scrub
from core.vocabulary import ErrorClass, OutcomeKind
from delivery.messages import LEASE_OVER, Outcome
from delivery.providers.http import NotWritten, TooLate, Unreadable, WireFailure

NOT_SENT = Outcome(OutcomeKind.RETRY_LATER, code="not_written", error_class=ErrorClass.TRANSIENT_NETWORK)
IN_DOUBT = Outcome(OutcomeKind.UNKNOWN, code="unanswered", error_class=ErrorClass.TRANSIENT_NETWORK)
UNREADABLE = Outcome(OutcomeKind.UNKNOWN, code="unreadable", error_class=ErrorClass.UNKNOWN)

# What a status means when the provider's own code is not in its table: the safe default.
BY_STATUS: Mapping[int, Outcome] = {
    401: Outcome(OutcomeKind.REFUSED_FOR_GOOD, error_class=ErrorClass.PROVIDER_ACCOUNT, misconfigured=True),
    402: Outcome(OutcomeKind.REFUSED_FOR_GOOD, error_class=ErrorClass.PROVIDER_ACCOUNT, misconfigured=True),
    403: Outcome(OutcomeKind.REFUSED_FOR_GOOD, error_class=ErrorClass.PROVIDER_ACCOUNT, misconfigured=True),
    408: Outcome(OutcomeKind.UNKNOWN, error_class=ErrorClass.TRANSIENT_NETWORK),
    429: Outcome(OutcomeKind.RETRY_LATER, error_class=ErrorClass.CAPACITY),
}
_OTHER_4XX = Outcome(OutcomeKind.REFUSED_FOR_GOOD, error_class=ErrorClass.UNKNOWN, next_channel=True)
_SERVER_SIDE = Outcome(OutcomeKind.UNKNOWN, error_class=ErrorClass.TRANSIENT_NETWORK)

_FAILURES = ((TooLate, LEASE_OVER), (NotWritten, NOT_SENT), (Unreadable, UNREADABLE), (WireFailure, IN_DOUBT))

_LONGEST_DETAIL = 200
_NUMBER = re.compile(r"\d{7,}")


def by_status(status: int) -> Outcome:
    """The safe default: 5xx and oddities may have sent, 429 has not, any other 4xx never will by this provider."""
    if 400 <= status < 500:
        return BY_STATUS.get(status, _OTHER_4XX)
    return _SERVER_SIDE


def of_failure(failure: WireFailure) -> Outcome:
    """RetryLater when nothing was written, Unknown when the provider may have acted."""
    row = next(row for kind, row in _FAILURES if isinstance(failure, kind))
    return replace(row, detail=str(failure)[:_LONGEST_DETAIL])


def detail(text: object) -> str:
    """A foreign error text without addresses or long numbers, on one line, at most 200 characters."""
    plain = " ".join(str(text or "").split())
    return _NUMBER.sub("…", scrub(plain))[:_LONGEST_DETAIL]
