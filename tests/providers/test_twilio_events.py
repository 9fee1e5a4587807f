"""Twilio's callbacks: signed with either token, in our words, and nothing else believed."""

from decimal import Decimal
from urllib.parse import urlencode
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.rest.api.v2010.account.message import MessageInstance

from core.errors import InvalidRequest, InvalidSignature
from core.vocabulary import ErrorClass, EventKind
from delivery.messages import DeliveryEvent
from delivery.providers import twilio_events
from delivery.providers.base import RawCallback
from sandbox.signing import twilio_signature
from tests.providers.people import MAYA_PHONE, NOON, OLD_TOKEN, TOKEN

ATTEMPT = UUID("018f0000-0000-7000-8000-000000000001")
STATUS_URL = f"https://mingus.test/webhooks/twilio/status/{ATTEMPT}"
INBOUND_URL = "https://mingus.test/webhooks/twilio/inbound"
DELIVERED = {"MessageSid": "SM1", "MessageStatus": "delivered", "SmsStatus": "delivered", "To": MAYA_PHONE}


def callback(form: dict[str, str], *, url: str = STATUS_URL, token: str = TOKEN) -> RawCallback:
    return RawCallback(
        url, {"x-twilio-signature": twilio_signature(token, url, form)}, urlencode(form).encode()
    )


def event(raw: RawCallback) -> DeliveryEvent:
    return twilio_events.event(raw, (TOKEN, OLD_TOKEN), NOON)


def test_a_status_names_its_attempt_by_the_url_that_we_gave():
    found = event(callback(DELIVERED))

    assert (found.kind, found.reference, found.event_key) == (EventKind.DELIVERED, "SM1", "SM1:delivered")
    assert (found.attempt_id, found.at, found.address) == (ATTEMPT, NOON, MAYA_PHONE)
    assert found.raw == DELIVERED


@pytest.mark.parametrize(
    ("status", "code", "kind", "error_class", "suppress", "revoke"),
    [
        ("queued", "", EventKind.QUEUED, None, False, False),
        ("sent", "", EventKind.SENT, None, False, False),
        ("delivered", "", EventKind.DELIVERED, None, False, False),
        ("undelivered", "30003", EventKind.BOUNCED_SOFT, ErrorClass.TRANSIENT_NETWORK, False, False),
        ("undelivered", "30005", EventKind.BOUNCED_HARD, ErrorClass.PERMANENT_ADDRESS, False, False),
        ("undelivered", "30006", EventKind.BOUNCED_HARD, ErrorClass.PERMANENT_ADDRESS, True, False),
        ("undelivered", "30007", EventKind.FAILED, ErrorClass.CONTENT_POLICY, False, False),
        ("failed", "21610", EventKind.FAILED, ErrorClass.PERMANENT_CONSENT, False, True),
        ("failed", "30034", EventKind.FAILED, ErrorClass.PROVIDER_ACCOUNT, False, False),
        ("failed", "77777", EventKind.FAILED, None, False, False),
        ("teleported", "", EventKind.UNRECOGNISED, None, False, False),
    ],
)
def test_each_status_and_code_in_our_words(*, status, code, kind, error_class, suppress, revoke):
    form = {"MessageSid": "SM1", "MessageStatus": status, "To": MAYA_PHONE} | (
        {"ErrorCode": code} if code else {}
    )
    found = event(callback(form))

    assert (found.kind, found.code, found.error_class) == (kind, code, error_class)
    assert (found.suppress_address, found.revoke_consent) == (suppress, revoke)


def test_an_answer_from_maya_is_received_with_her_number_and_words():
    form = {
        "MessageSid": "SM2",
        "SmsStatus": "received",
        "From": MAYA_PHONE,
        "To": "+15005550006",
        "Body": "Stop 🛑 + é",
    }
    found = event(callback(form, url=INBOUND_URL))

    assert (found.kind, found.address, found.text) == (EventKind.RECEIVED, MAYA_PHONE, "Stop 🛑 + é")
    assert (found.event_key, found.attempt_id, found.revoke_consent) == ("SM2:received", None, False)


def test_a_stop_that_twilio_has_judged_itself_revokes():
    form = {
        "MessageSid": "SM2",
        "SmsStatus": "received",
        "From": MAYA_PHONE,
        "Body": "ARRET",
        "OptOutType": "STOP",
    }

    assert event(callback(form, url=INBOUND_URL)).revoke_consent


@pytest.mark.parametrize("token", [TOKEN, OLD_TOKEN])
def test_both_tokens_of_a_rotation_are_believed(token: str):
    assert event(callback(DELIVERED, token=token)).kind is EventKind.DELIVERED


@pytest.mark.parametrize(
    "forged",
    [
        RawCallback(STATUS_URL, {}, urlencode(DELIVERED).encode()),
        RawCallback(STATUS_URL, {"x-twilio-signature": ""}, urlencode(DELIVERED).encode()),
        RawCallback(STATUS_URL, {"x-twilio-signature": "ÿ"}, urlencode(DELIVERED).encode()),
        callback(DELIVERED, token="another token"),
        callback(DELIVERED, token=""),
        RawCallback(INBOUND_URL, callback(DELIVERED).headers, callback(DELIVERED).body),
        RawCallback(
            STATUS_URL, callback(DELIVERED).headers, callback(DELIVERED | {"MessageStatus": "failed"}).body
        ),
        RawCallback(STATUS_URL, callback(DELIVERED).headers, callback(DELIVERED).body + b"&Extra=1"),
    ],
    ids=[
        "no header",
        "empty",
        "not base64",
        "foreign token",
        "empty token",
        "other URL",
        "other status",
        "one more field",
    ],
)
def test_what_twilio_did_not_sign_is_refused(forged: RawCallback):
    with pytest.raises(InvalidSignature):
        event(forged)


def test_without_any_token_nothing_is_believed():
    with pytest.raises(InvalidSignature):
        twilio_events.event(callback(DELIVERED, token=""), ("", ""), NOON)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"%ff=%fe", b"no form at all", b"&".join([b"a=1"] * 500)])
def test_a_body_that_is_no_form_is_a_bad_request(body: bytes):
    with pytest.raises(InvalidRequest, match="body"):
        event(RawCallback(STATUS_URL, {"x-twilio-signature": "x"}, body))


def test_a_signed_callback_without_a_message_names_the_field():
    with pytest.raises(InvalidRequest, match="MessageSid"):
        event(callback({"MessageStatus": "sent"}))


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["MessageSid", "SmsSid", "MessageStatus", "ErrorCode"])
        | st.text(min_size=1, max_size=20),
        st.text(max_size=40),
        max_size=8,
    ),
    st.sampled_from([STATUS_URL, INBOUND_URL, "https://mingus.test:8443/webhooks/twilio/status/x?y=1"]),
)
def test_whatever_twilio_signs_is_an_event_or_a_clear_refusal(form: dict[str, str], url: str):
    if form.get("MessageSid") or form.get("SmsSid"):
        assert event(callback(form, url=url)).reference
    else:
        with pytest.raises(InvalidRequest):
            event(callback(form, url=url))


@settings(deadline=None)
@given(
    st.binary(max_size=200), st.dictionaries(st.sampled_from(["x-twilio-signature"]), st.text(max_size=60))
)
def test_whatever_a_stranger_posts_is_refused(body: bytes, headers: dict[str, str]):
    with pytest.raises((InvalidRequest, InvalidSignature)):
        event(RawCallback(STATUS_URL, headers, body))


@pytest.mark.parametrize(
    ("price", "unit", "told"),
    [("-0.00750", "USD", "0.00750"), ("-0.00750", "usd", "0.00750"), ("-0.00750", None, "0.00750"),
     ("-0.00690", "EUR", None), (None, "USD", None), ("free", "USD", None)],
)  # fmt: skip
def test_only_a_price_in_usd_is_booked(price: str | None, unit: str | None, told: str | None):
    message = MessageInstance(None, {"sid": "SM1", "price": price, "price_unit": unit}, account_sid="AC1")

    assert twilio_events.of_message(message, NOON).price == (Decimal(told) if told else None)
