"""Named people, what is sent to them, and the settings of a provider under test."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from core.settings import Settings, load_settings
from core.vocabulary import Channel
from delivery.messages import Attachment, RenderedMessage, Transmission

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MAYA_PHONE = "+14045550123"
MAYA_MAIL = "maya.canary@mail.test"
ACCOUNT = "AC" + "5a" * 16
TOKEN = "token-canary-5b1f"
OLD_TOKEN = "old-token-canary-77aa"
API_KEY = "re_key-canary-90c2"
WEBHOOK_SECRET = "whsec_Y2FuYXJ5LXNlY3JldC0wMDAwMDAwMDAwMDAwMDAwMDA="
OLD_WEBHOOK_SECRET = "whsec_b2xkLXNlY3JldC0wMDAwMDAwMDAwMDAwMDAwMDAwMDAw"
TOPIC = "arn:aws:sns:us-east-1:123456789012:mingus-events"
SECRETS = (TOKEN, OLD_TOKEN, API_KEY, WEBHOOK_SECRET, "aws-secret-canary")

_IDS = UUID("00000000-0000-4000-8000-000000000000")


def given_settings(**given: Any) -> Settings:
    """Settings of a test: fake credentials, short timeouts, no real address anywhere."""
    return load_settings(**{
        "database_url": "postgresql://nobody@127.0.0.1/none",
        "redis_url": "redis://127.0.0.1:9/0",
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": TOKEN,
        "twilio_auth_token_previous": OLD_TOKEN,
        "twilio_phone_number": "+15005550006",
        "twilio_base_url": "http://127.0.0.1:9",
        "resend_api_key": API_KEY,
        "resend_webhook_secret": WEBHOOK_SECRET,
        "resend_webhook_secret_previous": OLD_WEBHOOK_SECRET,
        "resend_base_url": "http://127.0.0.1:9",
        "aws_endpoint_url": "http://127.0.0.1:9",
        "sns_topics": frozenset({TOPIC}),
        "provider_connect_timeout": 0.5,
        "provider_read_timeout": 0.5,
        "provider_connections": 4,
        **given,
    })  # fmt: skip


def sms(
    address: str = MAYA_PHONE, text: str = "Overdraft canary-text on account 1234", **given: Any
) -> Transmission:
    return _transmission(RenderedMessage(Channel.SMS, text, units=1), address, given)


def mail(address: str = MAYA_MAIL, *, attachments: tuple[Attachment, ...] = (), **given: Any) -> Transmission:
    message = RenderedMessage(
        Channel.EMAIL,
        "Your canary-text month\n",
        subject="Your month, Maya",
        html="<p>Your canary-text month</p>",
        headers={
            "List-Unsubscribe": "<https://mingus.test/u/abc>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
        attachments=attachments,
    )
    return _transmission(message, address, given)


def _transmission(message: RenderedMessage, address: str, given: dict[str, Any]) -> Transmission:
    attempt_id = uuid5(_IDS, f"{address} {message.body}")
    return Transmission(**{
        "attempt_id": attempt_id,
        "notification_id": uuid5(_IDS, f"notification {attempt_id}"),
        "message_type": "payment_reminder",
        "address": address,
        "message": message,
        "key": f"attempt-{attempt_id}",
        "callback_root": "https://mingus.test/webhooks/twilio/status",
        **given,
    })  # fmt: skip
