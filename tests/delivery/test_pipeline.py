"""One message to one person, from accept to the provider, over the real sandbox."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.clock import utc_now
from core.database import transaction
from core.errors import IdempotencyConflict, InvalidRequest, MissingVariable, UnknownMessageType, UnknownUser
from core.statements import rows
from delivery import Accepted, Request, accept, accept_many, deliver
from delivery.catalog import catalog
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("redis")


def state_of(notification_id: Any) -> tuple[str, str]:
    with transaction() as connection:
        return rows(connection, "SELECT state, reason FROM notifications WHERE id = %s", (notification_id,))[
            0
        ]


def alert(user_id: str, **given: Any) -> Request:
    payload = {"template": "Critical: {message}", "message": "Overdraft on account 1234", "urgency": "high"}
    return Request(user_id=user_id, message_type="critical_financial", payload=payload | given)


def test_a_critical_alert_reaches_mayas_phone(people, provider):
    people(person("Maya", 101))
    accepted = accept(alert("user_maya"))
    deliver([accepted.notification_id])
    (message,) = provider.messages()
    assert message["to"] == "+15125550101"
    assert "Overdraft on account 1234" in message["body"]
    assert state_of(accepted.notification_id)[0] in {"sent", "delivered"}


@pytest.mark.parametrize("name", list(catalog()))
def test_every_message_type_is_sent_to_maya(people, provider, name):
    people(person("Maya", 101))
    row = catalog()[name]
    accepted = accept(Request(user_id="user_maya", message_type=name, payload=dict(row.example)))
    report = deliver([accepted.notification_id])
    state, reason = report.states[accepted.notification_id]
    assert state == "sent" or (row.window and reason.startswith("quiet")), (state, reason)


def test_a_batch_of_mails_travels_in_one_call_and_each_is_recorded(people, provider, configure):
    configure(MINGUS_LIMIT_EDUCATIONAL_CONTENT_EMAIL="1000", MINGUS_RESEND_BASE_URL=provider.url)
    people(*(person(f"Person{n}", n) for n in range(1000, 1150)))
    example = dict(catalog()["educational_content"].example)
    results = accept_many(
        [
            Request(user_id=f"user_person{n}", message_type="educational_content", payload=example)
            for n in range(1000, 1150)
        ]
    )
    report = deliver([each.notification_id for each in results])
    assert report.counts() == {"sent": 150}
    assert len(provider.messages()) == 150
    with transaction() as connection:
        assert rows(connection, "SELECT count(*), count(DISTINCT key), min(outcome) FROM attempts")[0] == (
            150,
            2,
            "accepted",
        )


def test_delivering_the_same_id_twice_sends_once(people, provider):
    people(person("Maya", 101))
    accepted = accept(alert("user_maya"))
    deliver([accepted.notification_id, accepted.notification_id])
    deliver([accepted.notification_id])
    assert len(provider.messages()) == 1


def test_the_same_key_with_the_same_content_is_one_notification_and_with_other_content_a_conflict(people):
    people(person("Maya", 101))
    first = accept(
        Request(
            user_id="user_maya",
            message_type="critical_financial",
            payload=dict(alert("x").payload),
            idempotency_key="k1",
        )
    )
    second = accept(
        Request(
            user_id="user_maya",
            message_type="critical_financial",
            payload=dict(alert("x").payload),
            idempotency_key="k1",
        )
    )
    assert (first.notification_id, second.is_new) == (second.notification_id, False)
    with pytest.raises(IdempotencyConflict):
        accept(
            Request(
                user_id="user_maya",
                message_type="critical_financial",
                payload={**alert("x").payload, "message": "Other"},
                idempotency_key="k1",
            )
        )


@pytest.mark.parametrize(
    ("request_", "error", "field"),
    [
        (alert("user_nobody"), UnknownUser, "user_id"),
        (
            Request(user_id="user_maya", message_type="tea_time", payload={}),
            UnknownMessageType,
            "message_type",
        ),
        (alert("user_maya", template="Critical: {missing}"), MissingVariable, "missing"),
        (alert("user_maya", template="{message.__class__}"), InvalidRequest, "template"),
        (
            Request(user_id="user_maya", message_type="critical_financial", payload="text"),
            InvalidRequest,
            "alert_data",
        ),
        (Request(user_id="", message_type="critical_financial", payload={}), InvalidRequest, "user_id"),
        (alert("user_maya", template="x" * 10_001), InvalidRequest, "template"),
    ],
)
def test_bad_input_is_refused_with_its_field_and_nothing_is_stored(people, request_, error, field):
    people(person("Maya", 101))
    with pytest.raises(error) as raised:
        accept(request_)
    assert field in str(raised.value)
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM notifications")[0][0] == 0


def test_each_request_of_a_batch_is_answered_for_itself_and_in_its_place(people):
    people(person("Maya", 101))
    good, now = alert("user_maya"), utc_now()
    accept(replace(good, idempotency_key="of yesterday"))
    batch = [
        (good, "new"),
        (alert("user_nobody"), UnknownUser),
        (alert("user_maya", template="{amount} is gone"), MissingVariable),
        (replace(good, idempotency_key="of today"), "new"),
        (replace(good, message_type="horoscope"), UnknownMessageType),
        (replace(good, idempotency_key="of today"), "known"),
        (replace(good, idempotency_key="of yesterday"), "known"),
        (
            replace(alert("user_maya", message="Something else"), idempotency_key="of today"),
            IdempotencyConflict,
        ),
        (replace(good, campaign="two\nlines"), InvalidRequest),
        (replace(good, deliver_after=now, expires_at=now), InvalidRequest),
        (good, "new"),
    ]
    results = accept_many([request for request, _ in batch])
    for (request, wanted), result in zip(batch, results, strict=True):
        if isinstance(result, Accepted):
            assert ("new" if result.is_new else "known") == wanted
        else:
            assert (result.request, type(result.error)) == (request, wanted)
    assert results[5].notification_id == results[3].notification_id
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM notifications") == [(4,)]


def test_a_message_for_somebody_without_a_contact_point_is_skipped_with_its_reason(people, provider):
    people(person("Noor", 1, phone="", email=""))
    accepted = accept(alert("user_noor"))
    deliver([accepted.notification_id])
    assert state_of(accepted.notification_id) == ("skipped", "no_contact_point")


def test_a_message_of_the_future_is_not_delivered_before_its_time(people, provider):
    people(person("Maya", 101))
    request = alert("user_maya")
    later = Request(
        user_id=request.user_id,
        message_type=request.message_type,
        payload=request.payload,
        deliver_after=utc_now() + timedelta(hours=1),
    )
    accepted = accept(later)
    assert deliver([accepted.notification_id]).states == {}
    assert provider.messages() == []
    assert state_of(accepted.notification_id) == ("accepted", "scheduled")


def test_the_first_text_of_a_programme_tells_how_to_stop_and_the_next_ones_do_not(people, provider):
    people(person("Maya", 101), person("Omar", 102))
    for user_id in ("user_maya", "user_maya", "user_omar"):
        deliver([accept(alert(user_id)).notification_id])
    footed = [message["body"].endswith("\nReply STOP to opt out") for message in provider.messages()]
    assert footed == [True, False, True]
