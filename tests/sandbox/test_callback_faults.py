"""Callbacks that come twice, in the wrong order, forged, or not at all."""

import time
from urllib.parse import parse_qsl

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from twilio.request_validator import RequestValidator

from sandbox.settings import DEFAULT_AUTH_TOKEN, DEFAULT_WEBHOOK_SECRET
from tests.sandbox.conftest import MARIA, SENDER, letter, wait_for


def text(twilio, **fields):
    return twilio.messages.create(**({"to": MARIA, "from_": SENDER, "body": "Hello"} | fields))


def forms(catcher, path):
    return [dict(parse_qsl(caught.body.decode())) for caught in catcher.at(path)]


def signed(caught):
    headers = {name.lower().replace("svix-", "webhook-"): value for name, value in caught.headers.items()}
    return caught.body, headers


def test_callbacks_come_twice(sandbox, twilio, catcher):
    sandbox.fault("twilio", "callbacks_duplicate", params={"times": 3})
    text(twilio, status_callback=f"{catcher.url}/twice")
    catcher.wait("/twice", 6)
    assert [form["MessageStatus"] for form in forms(catcher, "/twice")] == ["sent"] * 3 + ["delivered"] * 3


def test_callbacks_come_in_the_wrong_order(sandbox, twilio, mailer, catcher):
    sandbox.fault("any", "callbacks_reorder")
    text(twilio, status_callback=f"{catcher.url}/order")
    mailer.Emails.send(letter("clicked@resend.dev"))
    catcher.wait("/order", 2)
    assert [form["MessageStatus"] for form in forms(catcher, "/order")] == ["delivered", "sent"]
    types = [
        Webhook(DEFAULT_WEBHOOK_SECRET).verify(*signed(caught))["type"]
        for caught in catcher.wait("/resend", 4)
    ]
    assert types == ["email.clicked", "email.opened", "email.delivered", "email.sent"]


def test_callbacks_are_lost_but_the_status_can_be_asked_for(sandbox, twilio, catcher):
    sandbox.fault("twilio", "callbacks_drop")
    message = text(twilio, status_callback=f"{catcher.url}/lost")
    wait_for(lambda: message.fetch().status == "delivered")
    time.sleep(0.05)
    assert catcher.at("/lost") == []


def test_callbacks_are_forged_and_only_the_true_ones_verify(sandbox, twilio, mailer, catcher):
    sandbox.fault("any", "callbacks_forge")
    hook = f"{catcher.url}/forged"
    text(twilio, status_callback=hook)
    mailer.Emails.send(letter())
    validator = RequestValidator(DEFAULT_AUTH_TOKEN)
    seen = []
    for caught, form in zip(catcher.wait("/forged", 4), forms(catcher, "/forged"), strict=True):
        genuine = validator.validate(hook, form, caught.headers["X-Twilio-Signature"])
        seen.append((form["MessageStatus"], genuine))
    assert seen == [("failed", False), ("sent", True), ("failed", False), ("delivered", True)]
    verified = []
    for caught in catcher.wait("/resend", 4):
        try:
            verified.append(Webhook(DEFAULT_WEBHOOK_SECRET).verify(*signed(caught))["type"])
        except WebhookVerificationError:
            verified.append("forged")
    assert verified == ["forged", "email.sent", "forged", "email.delivered"]


def test_a_rejected_event_of_resend_is_posted_again_and_a_rejected_callback_of_twilio_is_not(
    sandbox, twilio, mailer, catcher
):
    catcher.answers.extend([(500, b"")] * 2)
    text(twilio, status_callback=f"{catcher.url}/once")
    catcher.wait("/once", 2)
    catcher.answers.append((503, b""))
    sent = mailer.Emails.send(letter("suppressed@resend.dev"))
    wait_for(lambda: len(catcher.at("/resend")) == 2, seconds=8)
    first, second = catcher.at("/resend")
    assert first.body == second.body
    assert first.headers["svix-id"] == second.headers["svix-id"]
    assert sent["id"].encode() in first.body
    assert len(catcher.at("/once")) == 2
