"""Receipts that never came: the provider is asked, ever more rarely, and in the end the message is called unconfirmed."""

import time
from datetime import timedelta

import pytest

from core.clock import utc_now
from core.database import transaction
from core.statements import execute, rows
from delivery import Request, accept, deliver
from delivery.catalog import catalog
from delivery.polling import poll_unconfirmed
from delivery.receipts import apply_waiting
from tests.delivery.conftest import person

pytestmark = pytest.mark.usefixtures("redis")

NO_RECEIPT_BUT_DELIVERED = "+15005554001"
SENT_FOR_EVER = "+15005554000"
FAILS_UNHEARD = "+15005553003"


def send(name="weekly_checkin", user_id="user_maya"):
    accepted = accept(Request(user_id=user_id, message_type=name, payload=dict(catalog()[name].example)))
    deliver([accepted.notification_id])
    return accepted.notification_id


def age(notification_id, *, sent, asked=None):
    """Let a message have been sent, and last asked for, so many minutes ago."""
    with transaction() as connection:
        execute(
            connection,
            "UPDATE notifications SET sent_at = now() - make_interval(mins => %s),"
            " updated_at = now() - make_interval(mins => %s) WHERE id = %s",
            (sent, sent if asked is None else asked, notification_id),
        )


def state(notification_id):
    with transaction() as connection:
        return rows(connection, "SELECT state, reason FROM notifications WHERE id = %s", (notification_id,))[
            0
        ]


@pytest.fixture
def maya(people, provider, configure):
    """Maya at a number of choice; nobody listens to the sandbox's callbacks, so every one of them is lost."""

    def at(phone):
        people(person("Maya", 101, phone=phone))

    return at


@pytest.mark.parametrize("phone", [NO_RECEIPT_BUT_DELIVERED, "+15125550101"])
def test_a_lost_receipt_is_asked_for_and_confirms_the_message(maya, phone):
    maya(phone)
    sent = send("critical_financial")
    age(sent, sent=6)
    deadline = time.monotonic() + 10
    while state(sent)[0] != "delivered":
        assert time.monotonic() < deadline, "the sandbox delivers within a second or two"
        time.sleep(0.2)
        age(sent, sent=6)
        poll_unconfirmed()
        apply_waiting()


def test_an_undelivered_alert_that_nobody_told_us_of_goes_on_by_mail(maya, provider):
    maya(FAILS_UNHEARD)
    sent = send("critical_financial")
    deadline = time.monotonic() + 10
    while state(sent)[0] != "accepted":
        assert time.monotonic() < deadline
        time.sleep(0.2)
        age(sent, sent=6)
        poll_unconfirmed()
        apply_waiting()
    deliver([sent])
    assert [each["provider"] for each in provider.messages()] == ["twilio", "resend"]


@pytest.mark.parametrize(
    ("sent_ago", "asked_ago", "due"),
    [
        (4, 4, False),
        (6, 6, True),
        (6, 1, False),
        (60, 20, False),
        (60, 31, True),
        (600, 299, False),
        (600, 301, True),
    ],
)
def test_the_older_a_message_is_the_more_rarely_it_is_asked_for(maya, sent_ago, asked_ago, due):
    maya(SENT_FOR_EVER)
    sent = send("critical_financial")
    age(sent, sent=sent_ago, asked=asked_ago)
    assert poll_unconfirmed() == ({"no_news": 1} if due else {})
    assert poll_unconfirmed() == {}, "not asked twice in a row"


def test_a_provider_that_does_not_answer_is_asked_again_later(maya, provider):
    maya(SENT_FOR_EVER)
    sent = send("critical_financial")
    age(sent, sent=6)
    provider.fault(provider="twilio", kind="429", scope="read")
    assert poll_unconfirmed() == {"silent": 1}
    assert state(sent)[0] == "sent"


def test_after_three_days_it_is_called_unconfirmed_counted_and_asked_for_no_more(maya):
    maya(SENT_FOR_EVER)
    sent = send("critical_financial")
    age(sent, sent=3 * 24 * 60 + 1)
    assert poll_unconfirmed() == {"unconfirmed": 1}
    assert state(sent) == ("sent", "unconfirmed")
    age(sent, sent=3 * 24 * 60 + 1)
    assert poll_unconfirmed() == {}
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM delivery_events WHERE kind = 'unconfirmed'")[0][0] == 1


def test_a_receipt_that_comes_after_all_still_counts(maya):
    from core.vocabulary import EventKind
    from delivery.messages import DeliveryEvent
    from delivery.receipts import receive

    maya(SENT_FOR_EVER)
    sent = send("critical_financial")
    age(sent, sent=3 * 24 * 60 + 1)
    poll_unconfirmed()
    with transaction() as connection:
        ((attempt_id,),) = rows(connection, "SELECT id FROM attempts")
    receive(
        [
            DeliveryEvent(
                provider="twilio",
                kind=EventKind.DELIVERED,
                event_key="late",
                at=utc_now(),
                attempt_id=attempt_id,
            )
        ]
    )
    apply_waiting()
    assert state(sent)[0] == "delivered"


def test_no_more_than_asked_for_are_taken_at_a_time(people, provider, configure):
    configure(MINGUS_LIMIT_CRITICAL_FINANCIAL_SMS="100")
    people(*(person(f"Person{n}", n) for n in range(5)))
    for n in range(5):
        age(send("critical_financial", f"user_person{n}"), sent=6 + n)
    time.sleep(2.5)  # the sandbox has delivered them all by now
    assert poll_unconfirmed(limit=3) == {"told": 3}
    assert poll_unconfirmed(limit=3, now=utc_now() + timedelta(seconds=1)) == {"told": 2}
