"""Amazon's part in the tests: a moto server, and notifications signed with a certificate of our own."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from moto.server import ThreadedMotoServer

from delivery.providers.base import RawCallback
from delivery.providers.http import WireFailure
from tests.providers.people import NOON, TOPIC

CERTIFICATE_URL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
    "UnsubscribeConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}
_HASHES = {"1": hashes.SHA1, "2": hashes.SHA256}


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of a running moto."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield f"http://127.0.0.1:{server._server.server_port}"
    finally:
        server.stop()


class Amazon:
    """Signs as SNS does; `fetch` hands out its certificate and remembers what was asked for."""

    def __init__(
        self, *, valid_from: timedelta = timedelta(days=-1), valid_until: timedelta = timedelta(days=1)
    ) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.fetched: list[str] = []
        self.away = False
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(7)
            .not_valid_before(NOON + valid_from)
            .not_valid_after(NOON + valid_until)
            .sign(self.key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if self.away:
            raise WireFailure("status 503")
        return self.pem

    def signed(
        self, message: Any, *, kind: str = "Notification", version: str = "2", **given: Any
    ) -> dict[str, Any]:
        """An SNS message as a JSON object; fields in `given` are put in before it is signed."""
        document = {
            "Type": kind,
            "MessageId": "sns-1",
            "TopicArn": TOPIC,
            "Timestamp": "2026-11-24T12:00:00.000Z",
            "Message": message if isinstance(message, str) else orjson.dumps(message).decode(),
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE_URL,
            **given,
        }
        text = "".join(f"{name}\n{document[name]}\n" for name in _SIGNED[kind] if name in document)
        signature = self.key.sign(text.encode(), padding.PKCS1v15(), _HASHES.get(version, hashes.SHA256)())
        return document | {"Signature": base64.b64encode(signature).decode()}

    def posted(self, message: Any, **given: Any) -> RawCallback:
        return post(self.signed(message, **given))


def post(document: dict[str, Any]) -> RawCallback:
    return RawCallback(
        "https://mingus.test/webhooks/ses", {"content-type": "text/plain"}, orjson.dumps(document)
    )
