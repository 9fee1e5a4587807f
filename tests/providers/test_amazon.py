"""SNS and SES through boto3: against moto, against the raw wire, and their events."""

import base64
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.backends import get_backend

from core.vocabulary import ErrorClass, EventKind, OutcomeKind
from delivery.messages import Attachment
from delivery.providers.ses import SesProvider
from delivery.providers.sns import SnsProvider
from tests.providers.amazon import Amazon, moto_server
from tests.providers.cases import CASES
from tests.providers.people import MAYA_MAIL, MAYA_PHONE, NOON, given_settings, mail, sms
from tests.providers.test_resend_events import json_values
from tests.providers.wire_server import WireServer, answer

ATTEMPT = UUID("018f0000-0000-7000-8000-000000000001")
MOTO_ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture(scope="module")
def amazon() -> Amazon:
    return Amazon()


@pytest.fixture(scope="module")
def ses(amazon: Amazon) -> SesProvider:
    return carrier(SesProvider, "http://127.0.0.1:9", amazon)


def carrier(kind: type, url: str, amazon: Amazon | None = None, **given: Any) -> Any:
    return kind(
        given_settings(aws_endpoint_url=url, provider_read_timeout=5, **given),
        clock=lambda: NOON,
        fetch=(amazon.fetch if amazon else None),
    )


def test_sns_carries_mayas_text(moto: str):
    outcome = carrier(SnsProvider, moto).transmit([sms()], key="")[0]

    sent = get_backend("sns")[MOTO_ACCOUNT]["us-east-1"].sms_messages
    assert outcome.kind is OutcomeKind.ACCEPTED
    assert sent[outcome.reference] == (MAYA_PHONE, sms().message.body)


def test_sns_asks_for_transactional_delivery(server: WireServer):
    server.default = CASES["sns"].accepted
    carrier(SnsProvider, server.url).transmit([sms()], key="")

    form = server.requests[0].form
    assert form["MessageAttributes.entry.1.Name"] == "AWS.SNS.SMS.SMSType"
    assert form["MessageAttributes.entry.1.Value.StringValue"] == "Transactional"


def test_ses_takes_a_verified_sender_only(moto: str):
    unverified = carrier(SesProvider, moto, ses_from="nobody@unverified.test").transmit([mail()], key="")[0]
    assert (unverified.kind, unverified.code) == (OutcomeKind.REFUSED_FOR_GOOD, "MessageRejected")
    assert unverified.misconfigured

    import boto3

    boto3.client("sesv2", endpoint_url=moto, region_name="us-east-1").create_email_identity(
        EmailIdentity="hello@mingus.example"
    )
    verified = carrier(SesProvider, moto).transmit([mail()], key="")[0]
    assert verified.kind is OutcomeKind.ACCEPTED
    assert verified.reference


def test_ses_carries_all_that_was_rendered(server: WireServer):
    server.default = answer(200, {"MessageId": "m-1"})
    files = (
        Attachment("report.pdf", "application/pdf", b"%PDF"),
        Attachment("chart.png", "image/png", b"\x89PNG", content_id="chart"),
    )
    maya = mail(attachments=files)
    carrier(SesProvider, server.url, ses_from="MINGUS <reports@mingus.example>").transmit([maya], key="")

    request = server.requests[0]
    assert (request.method, request.target) == ("POST", "/v2/email/outbound-emails")
    assert request.json == {
        "FromEmailAddress": "MINGUS <reports@mingus.example>",
        "Destination": {"ToAddresses": [MAYA_MAIL]},
        "Content": {
            "Simple": {
                "Subject": {"Data": "Your month, Maya", "Charset": "UTF-8"},
                "Body": {
                    "Text": {"Data": maya.message.body, "Charset": "UTF-8"},
                    "Html": {"Data": maya.message.html, "Charset": "UTF-8"},
                },
                "Headers": [{"Name": name, "Value": value} for name, value in maya.message.headers.items()],
                "Attachments": [
                    {
                        "FileName": "report.pdf",
                        "RawContent": base64.b64encode(b"%PDF").decode(),
                        "ContentType": "application/pdf",
                        "ContentTransferEncoding": "BASE64",
                        "ContentDisposition": "ATTACHMENT",
                    },
                    {
                        "FileName": "chart.png",
                        "RawContent": base64.b64encode(b"\x89PNG").decode(),
                        "ContentType": "image/png",
                        "ContentTransferEncoding": "BASE64",
                        "ContentDisposition": "INLINE",
                        "ContentId": "chart",
                    },
                ],
            }
        },
        "EmailTags": [
            {"Name": "attempt_id", "Value": str(maya.attempt_id)},
            {"Name": "notification_id", "Value": str(maya.notification_id)},
            {"Name": "message_type", "Value": "payment_reminder"},
        ],
    }


def test_ses_refuses_an_attachment_whose_name_lies(server: WireServer):
    outcome = carrier(SesProvider, server.url).transmit(
        [mail(attachments=(Attachment("a.pdf", "image/png", b""),))], key=""
    )[0]

    assert outcome.error_class is ErrorClass.OURS
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "code", "text", "kind", "error_class"),
    [
        ("sns", "InvalidParameter", "Invalid parameter: PhoneNumber Reason: +1404 is not valid", OutcomeKind.REFUSED_FOR_GOOD, ErrorClass.PERMANENT_ADDRESS),
        ("sns", "InvalidParameter", "Invalid parameter: Message too long", OutcomeKind.REFUSED_FOR_GOOD, ErrorClass.OURS),
        ("sns", "InvalidParameter", "Phone number is opted out", OutcomeKind.REFUSED_FOR_GOOD, ErrorClass.PERMANENT_CONSENT),
        ("ses", "MessageRejected", "Email address is not verified.", OutcomeKind.REFUSED_FOR_GOOD, ErrorClass.PROVIDER_ACCOUNT),
        ("ses", "MessageRejected", "Address blacklisted.", OutcomeKind.REFUSED_FOR_GOOD, ErrorClass.CONTENT_POLICY),
        ("ses", "BadRequestException", "Missing final '@domain'", OutcomeKind.REFUSED_FOR_GOOD, ErrorClass.PERMANENT_ADDRESS),
        ("ses", "BadRequestException", "Subject is required", OutcomeKind.REFUSED_FOR_GOOD, ErrorClass.OURS),
        ("ses", "TooManyRequestsException", "Maximum sending rate exceeded.", OutcomeKind.RETRY_LATER, ErrorClass.CAPACITY),
        ("ses", "TooManyRequestsException", "Daily message quota exceeded.", OutcomeKind.QUOTA_EXHAUSTED, ErrorClass.CAPACITY),
    ],
)  # fmt: skip
def test_where_one_code_has_several_meanings_its_text_decides(
    *, server: WireServer, name: str, code: str, text: str, kind: OutcomeKind, error_class: ErrorClass
):
    case = CASES[name]
    server.default = case.refusal(400, code, text)
    outcome = case.provider(server.url).transmit([case.transmission()], key="")[0]

    assert (outcome.kind, outcome.error_class) == (kind, error_class)


@pytest.mark.parametrize("name", ["sns", "ses"])
def test_without_credentials_the_provider_is_misconfigured_and_nothing_is_sent(
    name: str, server: WireServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    case = CASES[name]
    outcome = case.provider(server.url).transmit([case.transmission()], key="")[0]

    assert (outcome.kind, outcome.misconfigured) == (OutcomeKind.REFUSED_FOR_GOOD, True)
    assert server.requests == []


def record(kind: str, place: str, **details: Any) -> dict[str, Any]:
    return {
        "eventType": kind,
        "mail": {
            "messageId": "m-1",
            "timestamp": "2026-11-24T11:59:00.000Z",
            "destination": [MAYA_MAIL],
            "tags": {"attempt_id": [str(ATTEMPT)], "ses:configuration-set": ["mingus"]},
        },
        place: {"timestamp": "2026-11-24T11:59:30.000Z", **details},
    }


@pytest.mark.parametrize(
    ("message", "kind", "error_class", "suppress", "revoke", "code"),
    [
        (record("Send", "send"), EventKind.SENT, None, False, False, ""),
        (record("Delivery", "delivery"), EventKind.DELIVERED, None, False, False, ""),
        (record("DeliveryDelay", "deliveryDelay", delayType="MailboxFull"), EventKind.DEFERRED, None, False, False, "MailboxFull"),
        (record("Bounce", "bounce", bounceType="Permanent", bounceSubType="General"), EventKind.BOUNCED_HARD, ErrorClass.PERMANENT_ADDRESS, True, False, "Permanent.General"),
        (record("Bounce", "bounce", bounceType="Transient", bounceSubType="MailboxFull"), EventKind.BOUNCED_SOFT, ErrorClass.TRANSIENT_NETWORK, False, False, "Transient.MailboxFull"),
        (record("Complaint", "complaint", complaintFeedbackType="abuse"), EventKind.COMPLAINED, ErrorClass.PERMANENT_CONSENT, True, True, "abuse"),
        (record("Complaint", "complaint", complaintFeedbackType="not-spam"), EventKind.UNRECOGNISED, None, False, False, "not-spam"),
        (record("Reject", "reject", reason="Bad content"), EventKind.FAILED, ErrorClass.CONTENT_POLICY, False, False, "Bad content"),
        (record("Rendering Failure", "failure"), EventKind.FAILED, ErrorClass.CONTENT_POLICY, False, False, ""),
        (record("Open", "open", userAgent="Mozilla/5.0 (iPhone)"), EventKind.OPENED, None, False, False, ""),
        (record("Click", "click", link="https://mingus.test"), EventKind.CLICKED, None, False, False, ""),
        (record("Subscription", "subscription", newTopicPreferences={"unsubscribeAll": True}), EventKind.UNSUBSCRIBED, None, False, True, ""),
        (record("Subscription", "subscription", newTopicPreferences={"unsubscribeAll": False}), EventKind.UNRECOGNISED, None, False, False, ""),
    ],
)  # fmt: skip
def test_each_record_of_ses_in_our_words(*, ses, amazon, message, kind, error_class, suppress, revoke, code):
    found = ses.events(amazon.posted(message))[0]

    assert (found.kind, found.error_class, found.code) == (kind, error_class, code)
    assert (found.suppress_address, found.revoke_consent) == (suppress, revoke)
    assert (found.reference, found.attempt_id, found.address) == ("m-1", ATTEMPT, MAYA_MAIL)
    assert (found.event_key, found.at.isoformat()) == ("sns-1", "2026-11-24T11:59:30+00:00")


def test_the_older_feedback_notifications_are_read_too(ses: SesProvider, amazon: Amazon):
    message = record(
        "Bounce", "bounce", bounceType="Permanent", bouncedRecipients=[{"emailAddress": "old@mail.test"}]
    )
    message["notificationType"] = message.pop("eventType")
    del message["mail"]["tags"]

    found = ses.events(amazon.posted(message))[0]

    assert (found.kind, found.address, found.attempt_id) == (EventKind.BOUNCED_HARD, "old@mail.test", None)


def test_opens_of_machines_are_flagged(ses: SesProvider, amazon: Amazon):
    found = ses.events(amazon.posted(record("Open", "open", userAgent="Mozilla/5.0")))[0]

    assert found.is_machine


def test_an_answer_from_maya_comes_through_the_topic_of_the_number(amazon: Amazon):
    message = {
        "originationNumber": MAYA_PHONE,
        "destinationNumber": "+12065550100",
        "messageKeyword": "KEYWORD_123456789012",
        "messageBody": "STOP",
        "inboundMessageId": "in-1",
    }
    found = carrier(SnsProvider, "http://127.0.0.1:9", amazon).events(amazon.posted(message))[0]

    assert (found.kind, found.address, found.text) == (EventKind.RECEIVED, MAYA_PHONE, "STOP")
    assert (found.reference, found.event_key, found.at) == ("in-1", "sns-1", NOON)


@pytest.mark.parametrize("kind", [SnsProvider, SesProvider])
def test_a_subscription_is_an_event_to_confirm(kind: type, amazon: Amazon):
    provider = carrier(kind, "http://127.0.0.1:9", amazon)
    url = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription"
    event = provider.events(amazon.posted("", kind="SubscriptionConfirmation", Token="t", SubscribeURL=url))[
        0
    ]

    assert (event.kind, event.provider) == (EventKind.UNRECOGNISED, provider.name)
    assert provider.confirm(event)
    assert amazon.fetched[-1] == url


@settings(deadline=None, max_examples=40)
@given(
    kind=st.sampled_from(
        ["Bounce", "Complaint", "Open", "Subscription", "Delivery", "DeliveryDelay", "Received"]
    ),
    mail_part=json_values,
    details=st.dictionaries(
        st.sampled_from(
            ["bounceType", "bouncedRecipients", "complainedRecipients", "userAgent", "newTopicPreferences"]
        ),
        json_values,
    ),
)
def test_no_shape_of_a_record_breaks_the_reading(
    ses: SesProvider, amazon: Amazon, kind: str, mail_part: Any, details: Any
):
    places = ("bounce", "complaint", "open", "subscription", "delivery", "deliveryDelay", "receipt")
    message = {"eventType": kind, "mail": mail_part} | dict.fromkeys(places, details)
    found = ses.events(amazon.posted(message))[0]

    assert isinstance(found.address, str)
