"""A provider's pace counts what it carries: a text of three segments takes three places."""

import pytest

from delivery import Request, accept, deliver
from tests.delivery.stage import person
from tests.reliability.story import QUICK, row_of, taken

pytestmark = pytest.mark.usefixtures("redis")

THREE_SEGMENTS = "Overdraft on account 1234. " + "Please look at your account soon. " * 11


def test_three_alerts_of_three_segments_are_all_that_ten_segments_a_minute_carry(people, provider, configure):
    configure(**QUICK, MINGUS_PROVIDER_PACES="twilio=10", MINGUS_TWILIO_BASE_URL=provider.url)
    people(*(person(f"Person{n}", n) for n in range(4)))

    def alert(number, message):
        payload = {"template": "Critical: {message}", "message": message, "urgency": "high"}
        accepted = accept(
            Request(user_id=f"user_person{number}", message_type="critical_financial", payload=payload)
        ).notification_id
        deliver([accepted])
        return row_of(accepted)

    long = [alert(number, THREE_SEGMENTS) for number in range(3)]
    too_much = alert(3, THREE_SEGMENTS)

    assert [each["state"] for each in long] == ["sent"] * 3
    assert [each["num_segments"] for each in taken(provider)] == [3, 3, 3]
    assert (too_much["state"], too_much["reason"]) == ("accepted", "rate_limited")
