"""What SNS and SES share: a boto3 client that never repeats a call, and its errors as outcomes."""

import logging
from dataclasses import replace
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    SSLError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from core.settings import Settings
from delivery.messages import Outcome
from delivery.providers import answers
from delivery.providers.aws_codes import ACCOUNT, OUR_BUG, meaning
from delivery.providers.http import retry_after

# botocore's parsers trip over what they did not expect in a 2xx: a list, null, HTML, bytes that are no UTF-8.
_STUMBLES = (ResponseParserError, AttributeError, LookupError, TypeError, ValueError)

FAILURES = (ClientError, BotoCoreError, *_STUMBLES)
"""All that a boto3 call raises for what happened on the wire or before it."""

_BY_EXCEPTION: tuple[tuple[type[Exception], Outcome], ...] = (
    (EndpointConnectionError, answers.NOT_SENT),
    (ConnectTimeoutError, answers.NOT_SENT),
    (NoCredentialsError, replace(ACCOUNT, code="no_credentials")),
    (PartialCredentialsError, replace(ACCOUNT, code="no_credentials")),
    (CredentialRetrievalError, replace(ACCOUNT, code="no_credentials")),
    (TokenRetrievalError, replace(ACCOUNT, code="no_credentials")),
    (NoRegionError, replace(ACCOUNT, code="no_region")),
    (ParamValidationError, replace(OUR_BUG, code="parameters")),
    (BotoCoreError, answers.IN_DOUBT),
    *((kind, answers.UNREADABLE) for kind in _STUMBLES),
)


def client(service: str, settings: Settings) -> Any:
    """A boto3 client with our timeouts, one attempt per call, no proxy from the environment, and silent about bodies."""
    # At DEBUG botocore logs whole requests: addresses and texts.
    logging.getLogger("botocore").setLevel(logging.INFO)
    return boto3.session.Session(region_name=settings.aws_region).client(
        service,  # type: ignore[call-overload]  # one of two names, known to the two callers
        endpoint_url=settings.aws_endpoint_url,
        config=Config(
            connect_timeout=settings.provider_connect_timeout,
            read_timeout=settings.provider_read_timeout,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=settings.provider_connections,
            proxies={},
            tcp_keepalive=True,
        ),
    )


def outcome(failure: Exception, now: datetime) -> Outcome:
    """What one of `FAILURES` means for the message."""
    if isinstance(failure, ClientError):
        return _refusal(failure, now)
    if isinstance(failure, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(failure):
        return replace(answers.NOT_SENT, detail="the certificate is not trusted")
    row = next(row for kind, row in _BY_EXCEPTION if isinstance(failure, kind))
    return replace(row, detail=type(failure).__name__)


def accepted_reference(answer: Any) -> str:
    """The message id of a good answer, empty when it has none."""
    reference = answer.get("MessageId") if isinstance(answer, dict) else None
    return reference if isinstance(reference, str) else ""


def _refusal(failure: ClientError, now: datetime) -> Outcome:
    said: Any = failure.response.get("Error", {})
    code, text = str(said.get("Code", "")), str(said.get("Message", ""))
    about: Any = failure.response.get("ResponseMetadata", {})
    status = int(about.get("HTTPStatusCode", 500))
    row = answers.by_status(status)
    if status < 500:
        row = meaning(code, text, row)
    return replace(
        row,
        code=code or str(status),
        detail=answers.detail(text),
        retry_after=retry_after(about.get("HTTPHeaders", {}), now) or row.retry_after,
    )
