"""The specification's five helpers answer what the pipeline would do."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from core.clock import utc_now
from core.database import transaction
from core.errors import InvalidRequest, MissingVariable, UnknownUser
from core.statements import execute, rows
from core.vocabulary import Channel, Purpose
from delivery import (
    Request,
    accept,
    consents,
    deliver,
    generate_personalized_content,
    handle_failed_delivery,
    log_delivery_status,
    track_communication_cost,
    validate_user_preferences,
)
from delivery.catalog import catalog
from delivery.consents import ConsentEntry
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("redis")


def send(name: str, user_id: str = "user_maya") -> str:
    accepted = accept(Request(user_id=user_id, message_type=name, payload=dict(catalog()[name].example)))
    deliver([accepted.notification_id])
    return str(accepted.notification_id)


def state_of(notification_id: str) -> str:
    with transaction() as connection:
        return rows(connection, "SELECT state FROM notifications WHERE id = %s", (notification_id,))[0][0]


def test_somebody_who_agreed_may_be_sent_to(people):
    people(person("Maya", 101))
    assert validate_user_preferences("user_maya", "email", "educational_content") == (True, "")


def test_somebody_who_withdrew_may_not_and_the_reason_is_told(people):
    people(person("Maya", 101))
    with transaction() as connection:
        entry = ConsentEntry(
            user_id="user_maya",
            channel=Channel.EMAIL,
            purpose=Purpose.MARKETING,
            granted=False,
            method="link",
        )
        consents.record(connection, [entry])
    assert validate_user_preferences("user_maya", "email", "educational_content") == (
        False,
        "consent_withdrawn",
    )


@pytest.mark.parametrize(
    ("user_id", "channel", "error"),
    [("user_nobody", "email", UnknownUser), ("user_maya", "pigeon", InvalidRequest)],
)
def test_asking_about_nobody_or_no_channel_is_an_error_that_says_so(people, user_id, channel, error):
    people(person("Maya", 101))
    with pytest.raises(error):
        validate_user_preferences(user_id, channel, "educational_content")


def test_costs_are_added_to_the_day_of_the_type_and_of_the_person(people, redis):
    people(person("Maya", 101))
    assert track_communication_cost("user_maya", "sms", "payment_reminder", True) == Decimal("0.0075")
    assert track_communication_cost("user_maya", "sms", "payment_reminder", False) == 0
    day = utc_now().date()
    assert int(redis.hget(f"mingus:{{counters}}:{day}:cost:user", "user_maya")) == 7500
    assert int(redis.hget(f"mingus:{{counters}}:{day}:count", "payment_reminder:sms:failed")) == 1


def test_a_logged_delivery_moves_the_message_as_a_receipt_would(people, provider):
    people(person("Maya", 101))
    sent = send("critical_financial")
    assert log_delivery_status("user_maya", "sms", "critical_financial", sent, "delivered")
    assert state_of(sent) == "delivered"


def test_a_critical_message_that_failed_goes_on_by_mail(people, provider):
    people(person("Maya", 101))
    sent = send("critical_financial")
    assert handle_failed_delivery("user_maya", "sms", "critical_financial", "30003")
    with transaction() as connection:
        execute(
            connection, "UPDATE notifications SET deliver_after = %s", (utc_now() - timedelta(seconds=1),)
        )
    deliver([UUID(sent)])
    assert [message["provider"] for message in provider.messages()] == ["twilio", "resend"]


def test_a_template_is_filled_with_names_only(people):
    people(person("Maya", 101))
    assert (
        generate_personalized_content("user_maya", "Hi {name}, {what}", {"what": "done"}) == "Hi Maya, done"
    )
    with pytest.raises(MissingVariable, match="what"):
        generate_personalized_content("user_maya", "Hi {name}, {what}", {})


def test_staging_sends_to_its_list_alone(people, provider, configure):
    configure(MINGUS_RECIPIENTS_ALLOWED="+15125550101", MINGUS_TWILIO_BASE_URL=provider.url)
    people(person("Maya", 101), person("Dan", 102))
    maya, dan = send("critical_financial"), send("critical_financial", "user_dan")
    assert (state_of(maya), state_of(dan)) == ("sent", "skipped")
    assert [message["to"] for message in provider.messages()] == ["+15125550101"]
