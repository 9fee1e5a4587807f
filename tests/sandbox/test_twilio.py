"""Twilio's untouched SDK against the sandbox."""

from urllib.parse import parse_qsl

from twilio.request_validator import RequestValidator

from sandbox.settings import DEFAULT_AUTH_TOKEN
from tests.sandbox.conftest import MARIA, SENDER

VALIDATOR = RequestValidator(DEFAULT_AUTH_TOKEN)
SERVICE = "MG" + "0" * 32


def test_maria_gets_a_text_and_its_callbacks_are_signed(sandbox, twilio, catcher):
    hook = f"{catcher.url}/status?attempt=7"
    message = twilio.messages.create(to=MARIA, from_=SENDER, body="Overdraft on 1234", status_callback=hook)
    assert (message.status, message.num_segments, message.price, message.date_sent) == (
        "queued",
        "1",
        None,
        None,
    )
    assert message.sid.startswith("SM")
    assert len(message.sid) == 34

    callbacks = catcher.wait("/status?attempt=7", 2)
    forms = [dict(parse_qsl(caught.body.decode(), keep_blank_values=True)) for caught in callbacks]
    assert [form["MessageStatus"] for form in forms] == ["sent", "delivered"]
    for caught, form in zip(callbacks, forms, strict=True):
        assert form["MessageSid"] == form["SmsSid"] == message.sid
        assert VALIDATOR.validate(hook, form, caught.headers["X-Twilio-Signature"])
        assert not VALIDATOR.validate(hook, form | {"To": SENDER}, caught.headers["X-Twilio-Signature"])

    fetched = message.fetch()
    assert (fetched.status, fetched.price, fetched.price_unit) == ("delivered", "-0.00750", "USD")
    assert fetched.date_sent.tzinfo is not None
    assert fetched.error_code is None
