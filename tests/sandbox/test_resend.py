"""Resend's untouched SDK against the sandbox."""

import json

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.sandbox.conftest import letter


def svix(caught):
    """The Svix headers under the names that the Standard Webhooks library knows."""
    return {name.lower().replace("svix-", "webhook-"): value for name, value in caught.headers.items()}


def test_maria_gets_an_email_and_its_events_are_signed(sandbox, mailer, catcher, webhook_secret):
    tags = [{"name": "attempt", "value": "a-7"}]
    sent = mailer.Emails.send(letter(tags=tags), {"idempotency_key": "maria/1"})
    events = catcher.wait("/resend", 2)
    payloads = [Webhook(webhook_secret).verify(caught.body, svix(caught)) for caught in events]
    assert [payload["type"] for payload in payloads] == ["email.sent", "email.delivered"]
    assert payloads[0]["data"] | {"created_at": "", "message_id": ""} == {
        "created_at": "",
        "email_id": sent["id"],
        "message_id": "",
        "from": "Mingus <hello@mingus.test>",
        "to": ["delivered@resend.dev"],
        "subject": "Your month",
        "tags": {"attempt": "a-7"},
    }
    for caught in events:
        with pytest.raises(WebhookVerificationError):
            Webhook(webhook_secret).verify(caught.body + b" ", svix(caught))
        headers = {name.lower().removeprefix("svix-"): value for name, value in caught.headers.items()}
        mailer.Webhooks.verify(
            {"payload": caught.body.decode(), "headers": headers, "webhook_secret": webhook_secret}
        )

    email = mailer.Emails.get(sent["id"])
    assert (email["last_event"], email["html"], email["text"]) == ("delivered", letter()["html"], "Hello")
    assert json.dumps(email["to"]) == '["delivered@resend.dev"]'
