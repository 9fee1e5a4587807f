"""Twilio's untouched SDK against the sandbox."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from sandbox.settings import DEFAULT_AUTH_TOKEN
from sandbox.twilio.magic import FAILS_LATER, FAILURES
from tests.sandbox.conftest import MARIA, SENDER, start_sandbox, twilio_client, wait_for

VALIDATOR = RequestValidator(DEFAULT_AUTH_TOKEN)
SERVICE = "MG" + "0" * 32
JAMES = "+13035550144"


def form_of(caught):
    return dict(parse_qsl(caught.body.decode(), keep_blank_values=True))


def refused(twilio, **fields):
    """The error of a create that must fail."""
    with pytest.raises(TwilioRestException) as error:
        twilio.messages.create(**({"to": MARIA, "from_": SENDER, "body": "Hello"} | fields))
    return error.value


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
    assert [form_of(caught)["MessageStatus"] for caught in callbacks] == ["sent", "delivered"]
    for caught in callbacks:
        form, signature = form_of(caught), caught.headers["X-Twilio-Signature"]
        assert form["MessageSid"] == form["SmsSid"] == message.sid
        assert VALIDATOR.validate(hook, form, signature)
        assert not VALIDATOR.validate(hook, form | {"To": SENDER}, signature)

    fetched = message.fetch()
    assert (fetched.status, fetched.price, fetched.price_unit) == ("delivered", "-0.00750", "USD")
    assert fetched.date_sent.tzinfo is not None
    assert fetched.error_code is None


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        # twilio.com/docs/iam/test-credentials
        ({"to": "+15005550001"}, 21211),
        ({"to": "+15005550002"}, 21612),
        ({"to": "+15005550003"}, 21408),
        ({"to": "+15005550004"}, 21610),
        ({"to": "+15005550009"}, 21614),
        ({"from_": "+15005550001"}, 21212),
        ({"from_": "+15005550007"}, 21606),
        ({"from_": "+15005550008"}, 21611),
        # twilio.com/docs/api/errors
        ({"to": "+1512555"}, 21211),
        ({"to": "maria"}, 21211),
        ({"from_": "not a sender!"}, 21212),
        ({"to": SENDER}, 21266),
        ({"body": ""}, 21619),
        ({"body": "x" * 1601}, 21617),
        ({"validity_period": 0}, 20001),
        ({"validity_period": 36_001}, 20001),
        ({"status_callback": "ftp://mingus.test"}, 21609),
        ({"messaging_service_sid": "MG12"}, 21705),
        ({"schedule_type": "fixed", "send_at": "2030-01-01T00:00:00Z"}, 35118),
        ({"schedule_type": "fixed", "messaging_service_sid": SERVICE}, 35111),
        (
            {"schedule_type": "fixed", "messaging_service_sid": SERVICE, "send_at": "2020-01-01T00:00:00Z"},
            35115,
        ),
        # the sandbox's additions
        ({"to": "+15005552635"}, 21635),
        ({"to": "+15005552611"}, 21611),
        ({"to": "+15005552608"}, 21608),
    ],
)
def test_what_twilio_refuses_is_refused_with_its_code_and_written_down(sandbox, twilio, fields, code):
    error = refused(twilio, **fields)
    assert (error.status, error.code) == (400, code)
    assert error.uri.endswith("/Messages.json")
    (entry,) = sandbox.messages()
    assert (entry["outcome"], entry["code"], entry["id"]) == ("refused", code, None)


@pytest.mark.parametrize(
    ("to", "status", "code"),
    [("+15005552429", 429, 20429), ("+15005552500", 500, 20500), ("+15005552503", 503, 20503)],
)
def test_some_numbers_meet_a_busy_or_broken_twilio(sandbox, twilio, to, status, code):
    error = refused(twilio, to=to)
    assert (error.status, error.code) == (status, code)


def test_every_code_that_comes_later_is_called_back_with_its_status(sandbox, twilio, catcher):
    for to in FAILS_LATER:
        twilio.messages.create(to=to, from_=SENDER, body="Hello", status_callback=f"{catcher.url}/later")
    wait_for(
        lambda: (
            sandbox.call("GET", "/_sandbox/messages", count="1")["by_status"].keys()
            <= {"failed", "undelivered"}
        )
    )
    expected = {to: (FAILURES[code].status, str(code)) for to, code in FAILS_LATER.items()}
    assert expected["+15005553003"] == ("undelivered", "30003")
    assert expected["+15005553410"] == ("undelivered", "30410")

    def told():
        forms = [form_of(caught) for caught in catcher.at("/later")]
        return {
            form["To"]: (form["MessageStatus"], form["ErrorCode"]) for form in forms if "ErrorCode" in form
        }

    wait_for(lambda: len(told()) == len(expected))
    assert told() == expected
    (message,) = twilio.messages.list(to="+15005553007")
    assert (message.status, message.error_code, message.error_message) == (
        "undelivered",
        30007,
        "Message filtered",
    )


@pytest.mark.parametrize(
    ("to", "ends"),
    [("+15005554000", ("sent", 1)), ("+15005554001", ("delivered", 0)), ("+15005554002", ("queued", 0))],
)
def test_some_messages_are_never_confirmed(sandbox, twilio, catcher, to, ends):
    status, callbacks = ends
    message = twilio.messages.create(to=to, from_=SENDER, body="Hello", status_callback=f"{catcher.url}/odd")
    other = twilio.messages.create(to=MARIA, from_=SENDER, body="Hello")
    wait_for(lambda: other.fetch().status == "delivered" and message.fetch().status == status)
    assert len(catcher.at("/odd")) == callbacks


def test_a_wrong_token_or_account_is_not_let_in(sandbox):
    stranger = twilio_client(sandbox, token="guessed")
    for call in (
        lambda: stranger.messages.create(to=MARIA, from_=SENDER, body="x"),
        stranger.messages("SM" + "0" * 32).fetch,
    ):
        with pytest.raises(TwilioRestException) as error:
            call()
        assert (error.value.status, error.value.code) == (401, 20003)
    assert [entry["code"] for entry in sandbox.messages()] == [20003]


def test_a_messaging_service_chooses_the_sender_later(sandbox, twilio, catcher):
    hook = f"{catcher.url}/service"
    message = twilio.messages.create(
        to=MARIA, messaging_service_sid=SERVICE, body="x" * 200, status_callback=hook
    )
    assert (message.status, message.num_segments, message.from_) == ("accepted", "0", None)
    statuses = [form_of(caught)["MessageStatus"] for caught in catcher.wait("/service", 3)]
    assert statuses == ["queued", "sent", "delivered"]
    fetched = message.fetch()
    assert (fetched.num_segments, fetched.from_, fetched.price) == ("2", SENDER, "-0.01500")


def test_a_scheduled_message_can_be_cancelled_and_a_sent_one_can_not(sandbox, twilio):
    later = datetime.now(UTC) + timedelta(hours=1)
    message = twilio.messages.create(
        to=MARIA, messaging_service_sid=SERVICE, body="Later", schedule_type="fixed", send_at=later
    )
    assert message.status == "scheduled"
    assert message.update(status="canceled").status == "canceled"
    with pytest.raises(TwilioRestException) as error:
        message.update(status="canceled")
    assert error.value.code == 30409


def test_a_finished_message_can_be_redacted_and_deleted(sandbox, twilio):
    message = twilio.messages.create(to="+15005554002", from_=SENDER, body="Balance 86.20")
    with pytest.raises(TwilioRestException) as error:
        message.update(body="")
    assert error.value.code == 20009
    message = twilio.messages.create(to="+15005553034", from_=SENDER, body="Balance 86.20")
    wait_for(lambda: message.fetch().status == "failed")
    assert message.update(body="").body == ""
    assert message.delete()
    with pytest.raises(TwilioRestException) as error:
        message.fetch()
    assert (error.value.status, error.value.code) == (404, 20404)


def test_a_list_is_filtered_and_paged_as_twilio_does(sandbox, twilio):
    for number in range(5):
        twilio.messages.create(to=MARIA, from_=SENDER, body=f"to Maria {number}")
    twilio.messages.create(to=JAMES, from_="+15125550199", body="to James")
    waiting = twilio.messages.create(to="+15005554002", from_=SENDER, body="never sent")
    wait_for(lambda: [message.status for message in twilio.messages.list(to=JAMES)] == ["delivered"])

    assert [message.body for message in twilio.messages.list(to=MARIA, page_size=2)] == [
        f"to Maria {number}" for number in (4, 3, 2, 1, 0)
    ]
    assert len(twilio.messages.list(to=MARIA, limit=3)) == 3
    assert [message.to for message in twilio.messages.list(from_="+15125550199")] == [JAMES]
    page = twilio.messages.page(page_size=3).next_page()
    assert [message.to for message in page] == [MARIA] * 3
    assert page.previous_page_url.startswith(sandbox.url)

    now = datetime.now(UTC)
    sent = twilio.messages.list(date_sent_after=now - timedelta(hours=1))
    assert waiting.sid not in {message.sid for message in sent}
    assert len(sent) == 6
    assert twilio.messages.list(date_sent_before=now - timedelta(hours=1)) == []
    assert len(twilio.messages.list(date_sent=now.date())) == 6
    assert twilio.messages.list(date_sent=now.date() - timedelta(days=1)) == []


def test_what_outlives_its_validity_is_not_sent(sandbox, tmp_path, catcher):
    with start_sandbox(tmp_path, callback_delay_ms="1200") as slow:
        client = twilio_client(slow)
        message = client.messages.create(to=MARIA, from_=SENDER, body="Live!", validity_period=1)
        wait_for(lambda: message.fetch().status == "failed")
        assert message.fetch().error_code == 30036


def test_the_account_can_be_fetched_to_check_the_credentials(sandbox, twilio):
    assert twilio.api.account.fetch().status == "active"


def test_smart_encoding_brings_a_text_back_to_the_cheap_alphabet(sandbox, twilio):
    dear = twilio.messages.create(to=MARIA, from_=SENDER, body="You’re “late” " + "x" * 70)
    cheap = twilio.messages.create(
        to=MARIA, from_=SENDER, body="You’re “late” " + "x" * 70, smart_encoded=True
    )
    assert (dear.num_segments, cheap.num_segments) == ("2", "1")
