"""Amazon's notifications at the served web app: the signature, the topic, the subscription, and what is refused."""

from typing import Any

import orjson
import pytest
import redis as redis_py

from core.database import transaction
from core.statements import rows
from delivery import providers
from delivery.providers.ses import SesProvider
from delivery.providers.sns import SnsProvider
from tests.providers.amazon import CERTIFICATE_URL, Amazon
from tests.providers.people import MAYA_MAIL, NOON, TOPIC
from tests.web.conftest import Web

DELIVERED = {
    "eventType": "Delivery",
    "mail": {"messageId": "m-1", "destination": [MAYA_MAIL], "tags": {}},
    "delivery": {"timestamp": "2026-11-24T11:59:30.000Z"},
}
SUBSCRIBE = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"


@pytest.fixture
def amazon(web: Web, configure: Any, monkeypatch: pytest.MonkeyPatch) -> Amazon:
    """Amazon as our two providers meet it: its clock, its certificate, our one topic."""
    configure(MINGUS_SNS_TOPICS=TOPIC, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    there = Amazon()
    for name, kind in (("ses", SesProvider), ("sns", SnsProvider)):
        monkeypatch.setitem(
            providers.REGISTRY,  # type: ignore[arg-type]
            name,
            lambda given, kind=kind: kind(given, clock=lambda: NOON, fetch=there.fetch),
        )
    return there


def stored() -> list[tuple[Any, ...]]:
    with transaction() as connection:
        return rows(connection, "SELECT provider, event_key, kind FROM callbacks ORDER BY event_key")


def post(web: Web, document: dict[str, Any], path: str = "/webhooks/ses") -> int:
    return web.post(path, orjson.dumps(document)).status


def test_a_signed_record_of_our_topic_is_stored_once(web: Web, amazon: Amazon) -> None:
    signed = amazon.signed(DELIVERED)

    assert [post(web, signed) for _ in range(3)] == [204] * 3
    assert stored() == [("ses", "sns-1", "delivered")]
    assert amazon.fetched == [CERTIFICATE_URL]


def test_what_a_customer_texted_to_our_amazon_number_is_taken_in(web: Web, amazon: Amazon) -> None:
    inbound = {"originationNumber": "+15125550101", "messageBody": "STOP", "inboundMessageId": "in-1"}

    assert post(web, amazon.signed(inbound), "/webhooks/sns") == 204
    assert stored() == [("sns", "sns-1", "received")]


def test_a_subscription_of_our_topic_is_confirmed_and_its_question_kept(web: Web, amazon: Amazon) -> None:
    question = amazon.signed(
        "You have chosen to subscribe", kind="SubscriptionConfirmation", Token="t", SubscribeURL=SUBSCRIBE
    )

    assert post(web, question) == 204
    assert SUBSCRIBE in amazon.fetched
    assert stored() == [("ses", "sns-1", "unrecognised")]


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Message": "{}"}, 403),
        ({"MessageId": "sns-2"}, 403),
        ({"Timestamp": "2026-11-24T12:00:01.000Z"}, 403),
        ({"TopicArn": "arn:aws:sns:us-east-1:999999999999:theirs"}, 403),
        ({"SignatureVersion": "1"}, 403),
        ({"SigningCertURL": "https://attacker.test/cert.pem"}, 403),
        ({"SigningCertURL": "https://sns.us-east-1.amazonaws.com.attacker.test/cert.pem"}, 403),
        ({"Signature": "not base64!"}, 403),
        ({"Signature": ""}, 403),
        ({"Type": "SubscriptionConfirmation"}, 403),
        ({"Type": "Gossip"}, 400),
        ({"Timestamp": 5}, 400),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value),
)
def test_a_record_that_somebody_has_touched_is_refused_and_nothing_is_kept(
    web: Web, amazon: Amazon, redis: redis_py.Redis, changed: dict[str, Any], status: int
) -> None:
    assert post(web, amazon.signed(DELIVERED) | changed) == status
    assert stored() == []


def test_a_certificate_that_cant_be_fetched_now_is_no_refusal_for_good(web: Web, amazon: Amazon) -> None:
    amazon.away = True
    signed = amazon.signed(DELIVERED)
    assert post(web, signed) == 503
    assert stored() == []
    amazon.away = False

    assert post(web, signed) == 204
    assert stored() == [("ses", "sns-1", "delivered")]
