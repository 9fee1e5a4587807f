"""What Amazon's topics post to us: believed only when Amazon signed it and the topic is ours."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidRequest, InvalidSignature, NotAccepted
from core.vocabulary import EventKind
from delivery.providers.base import RawCallback
from delivery.providers.sns_inbox import SnsInbox
from tests.providers.amazon import CERTIFICATE_URL, Amazon, post
from tests.providers.people import NOON, TOPIC, given_settings

CONFIRMATION = {
    "kind": "SubscriptionConfirmation",
    "Token": "t",
    "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t",
}


@pytest.fixture(scope="module")
def one_amazon() -> Amazon:
    return Amazon()


@pytest.fixture
def amazon(one_amazon: Amazon) -> Iterator[Amazon]:
    one_amazon.fetched.clear()
    yield one_amazon
    one_amazon.away = False


def inbox(amazon: Amazon, **given: Any) -> SnsInbox:
    return SnsInbox(given_settings(**given), fetch=amazon.fetch, clock=lambda: NOON)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [{}, {"Subject": "Amazon SES Email Event Notification"}])
def test_a_notification_of_ours_is_opened(amazon: Amazon, version: str, subject: dict[str, str]):
    envelope = inbox(amazon).open(amazon.posted({"eventType": "Send"}, version=version, **subject))

    assert (envelope.message_id, envelope.at, envelope.message) == ("sns-1", NOON, {"eventType": "Send"})


def test_the_certificate_is_fetched_once(amazon: Amazon):
    opened = inbox(amazon)
    for _ in range(3):
        opened.open(amazon.posted({}))

    assert amazon.fetched == [CERTIFICATE_URL]


def test_anybodys_topic_can_be_signed_by_amazon_and_only_ours_is_believed(amazon: Amazon):
    foreign = amazon.posted({}, TopicArn="arn:aws:sns:us-east-1:999999999999:attack")
    with pytest.raises(InvalidSignature, match="MINGUS_SNS_TOPICS"):
        inbox(amazon).open(foreign)
    with pytest.raises(InvalidSignature, match="MINGUS_SNS_TOPICS"):
        inbox(amazon, sns_topics=frozenset()).open(amazon.posted({}))

    assert amazon.fetched == []


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com/c.pem",
        "https://sns.us-east-1.amazonaws.com.attacker.test/c.pem",
        "https://attacker.test/sns.us-east-1.amazonaws.com/c.pem",
        "https://sns.us-east-1.amazonaws.com@attacker.test/c.pem",
        "https://user@sns.us-east-1.amazonaws.com/c.pem",
        "https://sns.us-east-1.amazonaws.com:8443/c.pem",
        "https://s3.us-east-1.amazonaws.com/c.pem",
        "https://sns.us-east-1.amazonaws.com/c.txt",
        "https://sns.us-east-1.amazonaws.com\n.attacker.test/c.pem",
        "file:///etc/ssl/c.pem",
        "",
    ],
)
def test_a_certificate_is_taken_from_amazons_host_only(amazon: Amazon, url: str):
    with pytest.raises(InvalidSignature):
        inbox(amazon).open(amazon.posted({}, SigningCertURL=url))

    assert amazon.fetched == []


@pytest.mark.parametrize(
    "change",
    [
        {"Message": '{"eventType": "Complaint"}'},
        {"MessageId": "sns-2"},
        {"Timestamp": "2026-11-24T13:00:00.000Z"},
        {"Subject": "added"},
        {"Signature": "bm90IGl0"},
        {"Signature": "%%%"},
        {"Signature": ""},
        {"SignatureVersion": "1"},
        {"SignatureVersion": "3"},
    ],
)
def test_one_changed_field_breaks_the_signature(amazon: Amazon, change: dict[str, str]):
    with pytest.raises(InvalidSignature):
        inbox(amazon).open(post(amazon.signed({"eventType": "Send"}) | change))


def test_a_certificate_out_of_its_time_is_not_believed():
    old = Amazon(valid_until=timedelta(hours=-1))
    with pytest.raises(InvalidSignature, match="time"):
        inbox(old).open(old.posted({}))


def test_a_file_that_is_no_certificate_is_not_believed(amazon: Amazon):
    opened = SnsInbox(given_settings(), fetch=lambda _: b"<html>", clock=lambda: NOON)
    with pytest.raises(InvalidSignature):
        opened.open(amazon.posted({}))


def test_a_certificate_that_can_not_be_fetched_now_asks_sns_to_come_again(amazon: Amazon):
    amazon.away = True
    with pytest.raises(NotAccepted):
        inbox(amazon).open(amazon.posted({}))


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b"not json", "body"),
        (b"{}", "Type"),
        (b'{"Type": 7}', "Type"),
        (b'{"Type": "Party", "MessageId": "1", "TopicArn": "t", "Timestamp": "x", "Message": ""}', "Type"),
        (b'{"Type": "Notification", "MessageId": "1", "TopicArn": "t", "Timestamp": "x"}', "Message"),
    ],
)
def test_what_is_no_sns_message_names_the_field(amazon: Amazon, document: bytes, field: str):
    with pytest.raises(InvalidRequest) as refused:
        inbox(amazon).open(RawCallback("https://mingus.test/", {}, document))

    assert refused.value.field == field


@pytest.mark.parametrize("message", ["plain text", "[]", ""])
def test_a_genuine_message_that_is_no_object_names_the_field(amazon: Amazon, message: str):
    with pytest.raises(InvalidRequest, match="Message"):
        inbox(amazon).open(amazon.posted(message))


def test_a_subscription_is_confirmed_at_amazon_when_asked_to(amazon: Amazon):
    opened = inbox(amazon)
    event = opened.open(amazon.posted("You have chosen to subscribe", **CONFIRMATION)).unrecognised("ses")

    assert (event.kind, event.raw["TopicArn"]) == (EventKind.UNRECOGNISED, TOPIC)
    assert opened.confirm(event)
    assert amazon.fetched == [CERTIFICATE_URL, CONFIRMATION["SubscribeURL"]]


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "Notification"},
        CONFIRMATION | {"kind": "UnsubscribeConfirmation"},
        CONFIRMATION | {"SubscribeURL": "https://attacker.test/"},
        CONFIRMATION | {"SubscribeURL": "http://sns.us-east-1.amazonaws.com/"},
    ],
)
def test_nothing_else_is_confirmed(amazon: Amazon, given: dict[str, Any]):
    opened = inbox(amazon)
    event = opened.open(amazon.posted("{}", **given)).unrecognised("ses")

    assert not opened.confirm(event)
    assert amazon.fetched == [CERTIFICATE_URL]


def test_a_confirmation_that_amazon_does_not_take_now_is_not_confirmed(amazon: Amazon):
    opened = inbox(amazon)
    event = opened.open(amazon.posted("", **CONFIRMATION)).unrecognised("ses")
    amazon.away = True

    assert not opened.confirm(event)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_a_stranger_posts_is_refused(body: bytes):
    closed = SnsInbox(given_settings(), fetch=lambda _: b"", clock=lambda: NOON)
    with pytest.raises((InvalidRequest, InvalidSignature)):
        closed.open(RawCallback("https://mingus.test/", {}, body))
