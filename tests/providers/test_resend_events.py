"""Resend's webhooks: signed by Svix over the raw body, in our words, and nothing else believed."""

import time
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidRequest, InvalidSignature
from core.vocabulary import ErrorClass, EventKind
from delivery.messages import DeliveryEvent
from delivery.providers import resend_events
from delivery.providers.base import RawCallback
from delivery.providers.email_machines import is_machine
from sandbox.settings import signing_key
from sandbox.signing import svix_headers
from tests.providers.people import MAYA_MAIL, NOON, OLD_WEBHOOK_SECRET, WEBHOOK_SECRET

URL = "https://mingus.test/webhooks/resend"
ATTEMPT = UUID("018f0000-0000-7000-8000-000000000001")


def callback(body: Any, *, secret: str = WEBHOOK_SECRET, age: int = 0, **replaced: str) -> RawCallback:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = svix_headers(signing_key(secret), "msg_1", int(time.time()) - age, raw)
    return RawCallback(
        URL, headers | {name.replace("_", "-"): value for name, value in replaced.items()}, raw
    )


def told(kind: str, **data: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "created_at": "2026-11-24T12:00:00.123Z",
        "data": {
            "email_id": "re-1",
            "to": [MAYA_MAIL],
            "subject": "Your month",
            "tags": {"attempt_id": str(ATTEMPT)},
            **data,
        },
    }


def event(raw: RawCallback) -> DeliveryEvent:
    return resend_events.event(raw, (WEBHOOK_SECRET, OLD_WEBHOOK_SECRET))


def test_a_delivery_names_its_attempt_by_the_tag_that_we_gave():
    found = event(callback(told("email.delivered")))

    assert (found.kind, found.reference, found.attempt_id) == (EventKind.DELIVERED, "re-1", ATTEMPT)
    assert (found.event_key, found.address) == ("msg_1", MAYA_MAIL)
    assert found.at == NOON.replace(microsecond=123_000)


def test_tags_may_come_as_a_list_too():
    body = told("email.sent", tags=[{"name": "attempt_id", "value": str(ATTEMPT)}])

    assert event(callback(body)).attempt_id == ATTEMPT


@pytest.mark.parametrize("tags", [None, {}, [], {"attempt_id": "nonsense"}, "text", [7]])
def test_a_mail_without_our_tag_is_matched_by_its_reference_later(tags: Any):
    found = event(callback(told("email.sent", tags=tags)))

    assert (found.attempt_id, found.reference) == (None, "re-1")


@pytest.mark.parametrize(
    ("name", "data", "kind", "error_class", "suppress", "revoke", "code"),
    [
        ("email.scheduled", {}, EventKind.QUEUED, None, False, False, ""),
        ("email.sent", {}, EventKind.SENT, None, False, False, ""),
        ("email.delivered", {}, EventKind.DELIVERED, None, False, False, ""),
        ("email.delivery_delayed", {}, EventKind.DEFERRED, None, False, False, ""),
        ("email.opened", {}, EventKind.OPENED, None, False, False, ""),
        ("email.clicked", {"click": {"userAgent": "Mozilla/5.0 (iPhone)"}}, EventKind.CLICKED, None, False, False, ""),
        ("email.complained", {}, EventKind.COMPLAINED, ErrorClass.PERMANENT_CONSENT, True, True, ""),
        ("email.failed", {"failed": {"reason": "reached_daily_quota"}}, EventKind.FAILED, ErrorClass.UNKNOWN, False, False, "reached_daily_quota"),
        ("email.suppressed", {"suppressed": {"type": "OnAccountSuppressionList"}}, EventKind.SUPPRESSED, ErrorClass.PERMANENT_ADDRESS, True, False, "OnAccountSuppressionList"),
        ("email.suppressed", {"suppressed": {"type": "Suppressed", "reason": "previous_complaint", "diagnosticCode": []}}, EventKind.SUPPRESSED, ErrorClass.PERMANENT_ADDRESS, True, False, "previous_complaint"),
        ("email.bounced", {"bounce": {"type": "Permanent", "subType": "General"}}, EventKind.BOUNCED_HARD, ErrorClass.PERMANENT_ADDRESS, True, False, "Permanent.General"),
        ("email.bounced", {"bounce": {"type": "Transient", "subType": "MailboxFull"}}, EventKind.BOUNCED_SOFT, ErrorClass.TRANSIENT_NETWORK, False, False, "Transient.MailboxFull"),
        ("email.bounced", {"bounce": {"type": "Undetermined"}}, EventKind.BOUNCED_SOFT, ErrorClass.TRANSIENT_NETWORK, False, False, "Undetermined"),
        ("email.bounced", {}, EventKind.BOUNCED_SOFT, ErrorClass.TRANSIENT_NETWORK, False, False, ""),
        ("domain.updated", {}, EventKind.UNRECOGNISED, None, False, False, ""),
        ("email.invented_tomorrow", {}, EventKind.UNRECOGNISED, None, False, False, ""),
    ],
)  # fmt: skip
def test_each_type_in_our_words(*, name, data, kind, error_class, suppress, revoke, code):
    found = event(callback(told(name, **data)))

    assert (found.kind, found.error_class, found.code) == (kind, error_class, code)
    assert (found.suppress_address, found.revoke_consent) == (suppress, revoke)


def test_a_mail_to_us_is_received_from_its_writer():
    found = event(
        callback(told("email.received", **{"from": "Maya <maya@mail.test>"}, subject="Re: unsubscribe"))
    )

    assert (found.kind, found.address, found.text) == (
        EventKind.RECEIVED,
        "maya@mail.test",
        "Re: unsubscribe",
    )


@pytest.mark.parametrize(
    ("agent", "machine"),
    [
        ("Mozilla/5.0", True),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0", False),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", False),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", True),
        ("Barracuda Sentinel (EE)", True),
        ("python-requests/2.34", True),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", True),
        ("", False),
    ],
)
def test_machines_are_told_from_people_by_their_agents(agent: str, *, machine: bool):
    assert is_machine(agent) is machine
    assert event(callback(told("email.opened", open={"userAgent": agent}))).is_machine is machine


@pytest.mark.parametrize("secret", [WEBHOOK_SECRET, OLD_WEBHOOK_SECRET])
def test_both_secrets_of_a_rotation_are_believed(secret: str):
    assert event(callback(told("email.sent"), secret=secret)).kind is EventKind.SENT


def test_one_good_signature_among_several_is_enough():
    good = callback(told("email.sent"))
    several = f"v1,bm90IG91cnM= v2,whatever {good.headers['svix-signature']}"

    assert (
        event(RawCallback(URL, {**good.headers, "svix-signature": several}, good.body)).kind is EventKind.SENT
    )


@pytest.mark.parametrize(
    "forged",
    [
        RawCallback(URL, {}, b"{}"),
        callback(told("email.sent"), secret="whsec_YW5vdGhlciBzZWNyZXQ="),
        callback(told("email.sent"), age=301),
        callback(told("email.sent"), age=-3600),
        callback(told("email.sent"), svix_id="msg_2"),
        callback(told("email.sent"), svix_timestamp="nan"),
        callback(told("email.sent"), svix_timestamp="soon"),
        callback(told("email.sent"), svix_signature=""),
        callback(told("email.sent"), svix_signature="garbage"),
        callback(told("email.sent"), svix_signature="v1,%%%"),
        RawCallback(URL, callback(told("email.sent")).headers, orjson.dumps(told("email.complained"))),
        RawCallback(URL, callback(told("email.sent")).headers, b"\xff\xfe"),
    ],
)
def test_what_resend_did_not_sign_just_now_is_refused(forged: RawCallback):
    with pytest.raises(InvalidSignature):
        event(forged)


def test_without_a_secret_nothing_is_believed():
    with pytest.raises(InvalidSignature):
        resend_events.event(callback(told("email.sent")), ())


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"[]", b'"text"', b"{}", b'{"type":"email.sent"}', b'{"type":1,"created_at":"2026-11-24T12:00:00Z","data":{}}',
     b'{"type":"email.sent","created_at":"yesterday","data":{}}', b'{"type":"email.sent","created_at":"2026-11-24T12:00:00Z","data":[]}'],
)  # fmt: skip
def test_a_signed_body_that_is_no_event_is_a_bad_request(body: bytes):
    with pytest.raises(InvalidRequest):
        event(callback(body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.sampled_from(["email.bounced", "email.clicked", "email.received", "email.failed", "contact.updated"]),
    st.dictionaries(
        st.sampled_from(
            ["email_id", "to", "from", "tags", "bounce", "click", "open", "failed", "suppressed", "subject"]
        ),
        json_values,
    ),
)
def test_no_shape_of_the_data_breaks_the_reading(name: str, data: dict[str, Any]):
    found = event(callback({"type": name, "created_at": "2026-11-24T12:00:00Z", "data": data}))

    assert found.event_key == "msg_1"
    assert isinstance(found.address, str)


# resend-openapi, schema Email: the whole enum of `last_event`.
@pytest.mark.parametrize(
    ("last", "kind"),
    [
        ("bounced", EventKind.BOUNCED_SOFT),
        ("canceled", EventKind.FAILED),
        ("clicked", EventKind.DELIVERED),
        ("complained", EventKind.COMPLAINED),
        ("delivered", EventKind.DELIVERED),
        ("delivery_delayed", EventKind.DEFERRED),
        ("failed", EventKind.FAILED),
        ("opened", EventKind.DELIVERED),
        ("queued", EventKind.QUEUED),
        ("scheduled", EventKind.QUEUED),
        ("sent", EventKind.SENT),
        ("suppressed", EventKind.SUPPRESSED),
        ("teleported", EventKind.UNRECOGNISED),
    ],
)
def test_what_a_lookup_tells_says_no_more_than_it_can_know(last: str, kind: EventKind):
    event = resend_events.of_mail({"id": "e1", "to": ["maya@mail.test"], "last_event": last}, NOON)

    assert (event.kind, event.reference, event.suppress_address) == (kind, "e1", False)
