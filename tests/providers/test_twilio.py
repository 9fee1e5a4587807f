"""Twilio's adapter against the sandbox: the real SDK, real HTTP, the documented magic numbers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.vocabulary import EventKind, OutcomeKind
from delivery.providers.twilio import TwilioProvider
from delivery.providers.twilio_codes import CODES, STATUSES, event_kind
from tests.providers.people import ACCOUNT, MAYA_PHONE, NOON, TOKEN, given_settings, sms
from tests.providers.wire_server import WireServer, answer
from tests.sandbox.conftest import Sandbox, wait_for


@pytest.fixture
def twilio(sandbox: Sandbox) -> TwilioProvider:
    return TwilioProvider(given_settings(twilio_base_url=sandbox.url, provider_read_timeout=5))


def send(twilio: TwilioProvider, *people: Any) -> list[Any]:
    return twilio.transmit(
        [person if hasattr(person, "address") else sms(person) for person in people], key=""
    )


def test_maya_gets_her_text_with_our_callback_and_deadline(server: WireServer):
    server.default = answer(201, {"sid": "SM1", "num_segments": "2"})
    twilio = TwilioProvider(given_settings(twilio_base_url=server.url), clock=lambda: NOON)
    maya = sms(expires_at=NOON + timedelta(minutes=10))

    outcome = send(twilio, maya)[0]

    request = server.requests[0]
    assert (request.method, request.target) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert request.form == {
        "To": MAYA_PHONE,
        "From": "+15005550006",
        "Body": maya.message.body,
        "StatusCallback": maya.callback_url,
        "ValidityPeriod": "600",
    }
    assert outcome.units == 2


def test_a_messaging_service_takes_the_place_of_the_number(server: WireServer):
    server.default = answer(201, {"sid": "SM1", "num_segments": "0"})
    twilio = TwilioProvider(given_settings(twilio_base_url=server.url, twilio_messaging_service_sid="MG1"))

    outcome = send(twilio, sms(callback_root=""))[0]

    assert server.requests[0].form == {
        "To": MAYA_PHONE,
        "MessagingServiceSid": "MG1",
        "Body": sms().message.body,
    }
    assert outcome.units is None  # "0" only says that no sender was chosen yet


@pytest.mark.parametrize(
    ("left", "period"),
    [
        (timedelta(seconds=90.9), "90"),
        (timedelta(days=3), "36000"),
        (timedelta(milliseconds=1), "1"),
        (timedelta(hours=-1), "1"),
    ],
)
def test_the_validity_period_stays_within_what_twilio_takes(server: WireServer, left: timedelta, period: str):
    server.default = answer(201, {"sid": "SM1"})
    twilio = TwilioProvider(given_settings(twilio_base_url=server.url), clock=lambda: NOON)
    send(twilio, sms(expires_at=NOON + left))

    assert server.requests[0].form["ValidityPeriod"] == period


def test_an_emoji_and_accents_arrive_unharmed(twilio: TwilioProvider, sandbox: Sandbox):
    send(twilio, sms(text="Café: 100 € & more = 🎉 + %"))

    assert sandbox.messages(provider="twilio")[0]["body"] == "Café: 100 € & more = 🎉 + %"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+15005550001", "21211"),
        ("+15005550002", "21612"),
        ("+15005550003", "21408"),
        ("+15005550004", "21610"),
        ("+15005550009", "21614"),
        ("+15005552429", "20429"),
        ("+15005552608", "21608"),
        ("+15005552611", "21611"),
        ("+15005552635", "21635"),
    ],
)
def test_the_magic_numbers_are_refused_as_the_table_says(twilio: TwilioProvider, number: str, code: str):
    outcome = send(twilio, number)[0]

    assert (outcome.kind, outcome.code) == (CODES[code].kind, code)
    assert number not in outcome.detail
    assert number[1:] not in outcome.detail


def test_a_whole_chunk_goes_out_in_order_through_few_connections(twilio: TwilioProvider, sandbox: Sandbox):
    people = [sms(f"+1404556{n:04d}") for n in range(60)]

    outcomes = twilio.transmit(people, key="")

    by_reference = {message["id"]: message["to"] for message in sandbox.messages(provider="twilio")}
    assert [by_reference[outcome.reference] for outcome in outcomes] == [person.address for person in people]


@pytest.mark.parametrize(
    ("fault", "kind", "received"),
    [
        ({"kind": "429", "params": {"retry_after": 9}}, OutcomeKind.RETRY_LATER, 0),
        ({"kind": "5xx_before"}, OutcomeKind.UNKNOWN, 0),
        ({"kind": "5xx_after"}, OutcomeKind.UNKNOWN, 1),
        ({"kind": "reset", "params": {"when": "after"}}, OutcomeKind.UNKNOWN, 1),
        ({"kind": "reset", "params": {"when": "before"}}, OutcomeKind.UNKNOWN, 0),
        ({"kind": "accept_then_hang", "params": {"hang_seconds": 2}}, OutcomeKind.UNKNOWN, 1),
        ({"kind": "malformed", "params": {"shape": "truncated"}}, OutcomeKind.UNKNOWN, 1),
        ({"kind": "malformed", "params": {"shape": "empty"}}, OutcomeKind.UNKNOWN, 1),
        ({"kind": "malformed", "params": {"shape": "html"}}, OutcomeKind.UNKNOWN, 1),
    ],
)
def test_what_may_have_been_received_is_never_called_unsent(
    sandbox: Sandbox, fault: dict[str, Any], kind: OutcomeKind, received: int
):
    sandbox.fault("twilio", **fault)
    twilio = TwilioProvider(given_settings(twilio_base_url=sandbox.url))

    outcome = send(twilio, MAYA_PHONE)[0]

    taken = [m for m in sandbox.messages(provider="twilio") if m["outcome"] in {"accepted", "taken"}]
    assert outcome.kind is kind
    assert len(taken) == received
    assert outcome.retry_after == (9.0 if fault["kind"] == "429" else outcome.retry_after)


def test_a_message_in_doubt_is_found_again_by_address_and_text(twilio: TwilioProvider, sandbox: Sandbox):
    began = datetime.now(UTC)
    sandbox.fault("twilio", "5xx_after", count=1)
    lost = sms(text="Overdraft: attempt in doubt")
    assert send(twilio, lost)[0].kind is OutcomeKind.UNKNOWN
    send(twilio, sms(text="Another text"), sms("+14045559999"))

    found = twilio.search(address=MAYA_PHONE, since=began, until=datetime.now(UTC) + timedelta(seconds=5))

    assert found is not None
    assert [record.body for record in found if record.body == lost.message.body] == [lost.message.body]
    assert {record.address for record in found} == {MAYA_PHONE}
    assert found[0].created_at.tzinfo is not None


def test_the_list_is_read_over_all_its_pages(twilio: TwilioProvider, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("delivery.providers.twilio._PAGE", 2)
    began = datetime.now(UTC)
    send(twilio, *[sms(text=f"number {n}") for n in range(7)])

    found = twilio.search(address=MAYA_PHONE, since=began, until=datetime.now(UTC) + timedelta(seconds=5))

    assert found is not None
    assert len({record.reference for record in found}) == 7


def test_the_status_is_asked_by_reference_until_it_is_final(twilio: TwilioProvider):
    reference = send(twilio, MAYA_PHONE)[0].reference

    event = wait_for(
        lambda: (found := twilio.lookup(reference)) and found.kind is EventKind.DELIVERED and found
    )

    assert (event.reference, event.event_key) == (reference, f"{reference}:delivered")
    assert event.price is None or event.price > 0
    assert twilio.lookup("SM" + "0" * 32) is None


def test_a_failed_message_is_asked_for_with_its_code(twilio: TwilioProvider):
    reference = send(twilio, "+15005553006")[0].reference

    event = wait_for(lambda: (found := twilio.lookup(reference)) and found.code and found)

    assert (event.kind, event.code, event.suppress_address) == (EventKind.BOUNCED_HARD, "30006", True)


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_every_status_of_the_message_resource_has_a_kind(status: str):
    assert event_kind(status, "") is not EventKind.UNRECOGNISED


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("30003", EventKind.BOUNCED_SOFT),
        ("30005", EventKind.BOUNCED_HARD),
        ("30006", EventKind.BOUNCED_HARD),
        ("30007", EventKind.FAILED),
        ("30008", EventKind.BOUNCED_SOFT),
        ("30036", EventKind.FAILED),
        ("12345", EventKind.FAILED),
    ],
)
def test_an_undelivered_message_bounced_by_its_code(code: str, kind: EventKind):
    assert event_kind("undelivered", code) is kind


def test_the_token_goes_to_twilio_and_nowhere_else(server: WireServer):
    server.default = answer(401, {"code": 20003, "message": "Authenticate", "status": 401})
    outcome = send(TwilioProvider(given_settings(twilio_base_url=server.url)), MAYA_PHONE)[0]

    assert server.requests[0].headers["authorization"].startswith("Basic ")
    assert outcome.misconfigured
    assert TOKEN not in repr(outcome)
