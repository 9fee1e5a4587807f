"""Notifications that Amazon SNS posts to us: the envelope, its signature, and the confirmation of a subscription.

docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html. Anybody's topic signs with Amazon's key, so a
good signature proves nothing until the topic is one of ours (MINGUS_SNS_TOPICS).
"""

import base64
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from core.clock import utc_now
from core.errors import InvalidRequest, InvalidSignature, NotAccepted
from core.settings import Settings
from core.vocabulary import EventKind
from delivery.messages import DeliveryEvent
from delivery.providers.base import RawCallback
from delivery.providers.http import HttpClient, WireFailure

_AMAZON = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(\.cn)?")
_HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}
_CONFIRMATIONS = frozenset({"SubscriptionConfirmation", "UnsubscribeConfirmation"})
_SIGNED: Mapping[str, tuple[str, ...]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    **dict.fromkeys(
        _CONFIRMATIONS, ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    ),
}
_REQUIRED = ("Type", "MessageId", "TopicArn", "Timestamp", "Message")
_MOST_CERTIFICATES = 16

Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A genuine message of one of our topics; `message` is the publisher's JSON object, empty for a confirmation."""

    message_id: str
    kind: str
    at: datetime
    message: Mapping[str, Any]
    raw: Mapping[str, Any]

    def unrecognised(self, provider: str) -> DeliveryEvent:
        """The envelope as an event that says nothing about a message of ours."""
        return DeliveryEvent(provider, EventKind.UNRECOGNISED, self.message_id, self.at, raw=self.raw)


class SnsInbox:
    """Opens what our topics post; certificates are fetched once each, by `fetch` (GET, the body of a 200)."""

    def __init__(
        self, settings: Settings, *, fetch: Fetch | None = None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._topics: Collection[str] = settings.sns_topics
        self._fetch = fetch or _fetcher(settings)
        self._clock = clock
        self._certificates: dict[str, x509.Certificate] = {}

    def open(self, callback: RawCallback) -> Envelope:
        """The genuine message; InvalidRequest for no SNS message, InvalidSignature for a foreign topic or a wrong
        signature, NotAccepted when Amazon's certificate can't be fetched now (answer 503: SNS gives up after a 4xx).
        """
        given = _object(callback.body, "body")
        missing = next((name for name in _REQUIRED if not isinstance(given.get(name), str)), None)
        if missing or given["Type"] not in _SIGNED:
            raise InvalidRequest(missing or "Type", "must be as in an Amazon SNS message")
        if given["TopicArn"] not in self._topics:
            raise InvalidSignature("a topic that is not in MINGUS_SNS_TOPICS")
        self._verify(given)
        return Envelope(
            message_id=given["MessageId"],
            kind=given["Type"],
            at=instant(given["Timestamp"]),
            message={} if given["Type"] in _CONFIRMATIONS else _object(given["Message"], "Message"),
            raw=given,
        )

    def confirm(self, event: DeliveryEvent) -> bool:
        """Confirm the subscription that this event of ours asks to confirm; False when it does not ask, or can't now."""
        url = str(event.raw.get("SubscribeURL", ""))
        if event.raw.get("Type") != "SubscriptionConfirmation" or not _is_amazons(url):
            return False
        try:
            self._fetch(url)
        except WireFailure:
            return False
        return True

    def _verify(self, given: Mapping[str, Any]) -> None:
        algorithm = _HASHES.get(str(given.get("SignatureVersion")))
        url = str(given.get("SigningCertURL", ""))
        if algorithm is None or not _is_amazons(url) or not urlsplit(url).path.endswith(".pem"):
            raise InvalidSignature("a signature that is not Amazon's")
        signed = "".join(
            f"{name}\n{given[name]}\n" for name in _SIGNED[given["Type"]] if given.get(name) is not None
        )
        key = self._certificate(url).public_key()
        try:
            signature = base64.b64decode(str(given.get("Signature", "")), validate=True)
            if not isinstance(key, rsa.RSAPublicKey):
                raise InvalidSignature("a certificate that is not Amazon's")
            key.verify(signature, signed.encode(), padding.PKCS1v15(), algorithm())
        except (WrongSignature, ValueError) as error:
            raise InvalidSignature("not signed by Amazon SNS") from error

    def _certificate(self, url: str) -> x509.Certificate:
        found = self._certificates.get(url)
        if found is None:
            try:
                found = x509.load_pem_x509_certificate(self._fetch(url))
            except WireFailure as error:
                raise NotAccepted("Amazon's signing certificate can't be fetched now; try again") from error
            except ValueError as error:
                raise InvalidSignature("no certificate where it should be") from error
            if len(self._certificates) >= _MOST_CERTIFICATES:
                self._certificates.clear()
            self._certificates[url] = found
        if not found.not_valid_before_utc <= self._clock() <= found.not_valid_after_utc:
            raise InvalidSignature("a certificate out of its time")
        return found


def instant(text: object) -> datetime:
    """Amazon's ISO times as aware UTC; InvalidRequest for anything else."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise InvalidRequest("timestamp", "must be an ISO 8601 time") from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _fetcher(settings: Settings) -> Fetch:
    client = HttpClient(
        connect_timeout=settings.provider_connect_timeout, read_timeout=settings.provider_read_timeout, keep=1
    )

    def fetch(url: str) -> bytes:
        reply = client.exchange("GET", url, headers={"Accept": "*/*"})
        if reply.status != 200:
            raise WireFailure(f"status {reply.status}")
        return reply.body

    return fetch


def _is_amazons(url: str) -> bool:
    """https on a host of Amazon SNS, on the default port, without credentials in it."""
    parts = urlsplit(url)
    return parts.scheme == "https" and _AMAZON.fullmatch(parts.netloc) is not None


def _object(text: str | bytes, field: str) -> dict[str, Any]:
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(field, "must be JSON") from error
    if not isinstance(parsed, dict):
        raise InvalidRequest(field, "must be a JSON object")
    return parsed
