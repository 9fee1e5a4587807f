"""The vendors' webhook signatures, made from their descriptions, not from their SDKs (which check them)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping


def twilio_signature(auth_token: str, url: str, form: Mapping[str, str]) -> str:
    """Base64 of HMAC-SHA1(token, URL + every parameter's name and value, sorted by name).

    Source: twilio.com/docs/usage/security#validating-requests.
    """
    signed = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def svix_headers(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three Svix headers over `id.timestamp.body`; timestamp in whole seconds.

    Source: docs.svix.com/receiving/verifying-payloads/how-manual.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"svix-id": message_id, "svix-timestamp": str(timestamp), "svix-signature": f"v1,{signature}"}
