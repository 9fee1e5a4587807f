"""What every provider of the registry must do, whoever it is."""

import logging
import socket
import time
from dataclasses import fields, replace
from typing import Any

import pytest

from core.errors import InvalidSignature
from core.vocabulary import Channel, ErrorClass, OutcomeKind
from delivery.messages import Outcome
from delivery.providers import REGISTRY
from tests.providers.cases import CASES, Case
from tests.providers.people import MAYA_MAIL, MAYA_PHONE, NOON, SECRETS
from tests.providers.wire_server import WireServer, reset, say, stall

UNREADABLE_BODIES = [b"", b"<html>hello</html>", b'{"half": ', b"[]", b"null", b"{}", b"\xff\xfe"]


def only(outcomes: list[Outcome]) -> Outcome:
    assert len(outcomes) == 1
    return outcomes[0]


def test_every_registered_provider_is_held_to_the_contract():
    assert set(CASES) == set(REGISTRY)


def test_it_knows_its_own_name_and_channel(case: Case, carrier: Any):
    assert carrier.name == case.name
    assert carrier.channel is case.transmission().message.channel
    assert carrier.batch_size >= 1


def test_maya_gets_what_was_rendered_for_her_and_the_reference_comes_back(
    case: Case, carrier: Any, server: WireServer
):
    transmission = case.transmission()

    outcome = only(carrier.transmit([transmission], key=transmission.key))

    assert (outcome.kind, outcome.reference, outcome.code) == (OutcomeKind.ACCEPTED, case.reference, "")
    assert case.sent(server.requests[0]) == {
        "address": transmission.address,
        "text": transmission.message.body,
    }


def test_nothing_to_send_is_no_call(carrier: Any, server: WireServer):
    assert carrier.transmit([], key="k") == []
    assert server.requests == []


def test_several_outcomes_come_in_the_order_of_the_transmissions(
    case: Case, carrier: Any, server: WireServer
):
    if carrier.batch_size > 1:
        pytest.skip("one call carries them all: its own tests follow")
    addresses = (
        [f"+1404555{n:04d}" for n in range(20)]
        if carrier.channel is Channel.SMS
        else [f"p{n}@mail.test" for n in range(20)]
    )
    people = [case.transmission(address) for address in addresses]
    unlucky = people[13].address
    server.chosen_by = lambda request: (
        case.refusal(400, "99999", "no") if case.sent(request)["address"] == unlucky else case.accepted
    )

    kinds = [outcome.kind for outcome in carrier.transmit(people, key="")]

    assert kinds[13] is OutcomeKind.REFUSED_FOR_GOOD
    assert set(kinds[:13] + kinds[14:]) == {OutcomeKind.ACCEPTED}
    assert server.connections <= 4


def test_each_code_of_the_table_becomes_its_row(case: Case, carrier: Any, server: WireServer):
    for code, row in case.codes.items():
        server.script.append(case.refusal(400, code, "refused"))
        transmission = case.transmission()

        outcome = only(carrier.transmit([transmission], key=transmission.key))

        wanted = replace(row, code=code, detail="refused", retry_after=7.0)
        assert {f.name: getattr(outcome, f.name) for f in fields(outcome)} == {
            f.name: getattr(wanted, f.name) for f in fields(wanted)
        }, code


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, OutcomeKind.REFUSED_FOR_GOOD),
        (401, OutcomeKind.REFUSED_FOR_GOOD),
        (403, OutcomeKind.REFUSED_FOR_GOOD),
        (404, OutcomeKind.REFUSED_FOR_GOOD),
        (418, OutcomeKind.REFUSED_FOR_GOOD),
        (408, OutcomeKind.UNKNOWN),
        (429, OutcomeKind.RETRY_LATER),
        (500, OutcomeKind.UNKNOWN),
        (502, OutcomeKind.UNKNOWN),
        (503, OutcomeKind.UNKNOWN),
        (599, OutcomeKind.UNKNOWN),
    ],
)
def test_a_code_that_nobody_has_heard_of_falls_to_the_safe_default_of_its_status(
    case: Case, carrier: Any, server: WireServer, status: int, kind: OutcomeKind
):
    server.default = case.refusal(status, "99999", "a new error")
    outcome = only(carrier.transmit([case.transmission()], key="k"))

    assert outcome.kind is kind
    assert outcome.code == "99999"
    assert outcome.misconfigured == (status in {401, 403})
    assert outcome.retry_after == 7.0
    assert outcome.detail == "a new error"


def test_a_server_error_is_in_doubt_even_under_a_code_that_would_be_safe(
    case: Case, carrier: Any, server: WireServer
):
    for code in case.codes:
        server.default = case.refusal(500, code, "oh dear")
        assert only(carrier.transmit([case.transmission()], key="k")).kind is OutcomeKind.UNKNOWN, code


def test_nobody_listening_is_surely_not_sent(case: Case, server: WireServer):
    server.close()
    outcome = only(case.provider(server.url).transmit([case.transmission()], key="k"))

    assert (outcome.kind, outcome.error_class) == (OutcomeKind.RETRY_LATER, ErrorClass.TRANSIENT_NETWORK)


def test_a_name_that_does_not_resolve_is_surely_not_sent(case: Case, monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    outcome = only(case.provider("http://provider.invalid").transmit([case.transmission()], key="k"))

    assert outcome.kind is OutcomeKind.RETRY_LATER


def test_a_connection_that_is_never_taken_up_is_surely_not_sent(case: Case):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # the queue of the deaf server is full now
            began = time.monotonic()
            outcome = only(
                case.provider(f"http://127.0.0.1:{port}", provider_connect_timeout=0.2).transmit(
                    [case.transmission()], key="k"
                )
            )

    assert outcome.kind is OutcomeKind.RETRY_LATER
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    "behaviour",
    [reset, stall, say(b""), say(b"HTTP/1.1 200 OK\r\nContent-Le"), say(b"SSH-2.0-OpenSSH\r\n\r\n")],
    ids=["reset", "stall", "hang up", "half a head", "not HTTP"],
)
def test_once_the_request_is_out_silence_is_in_doubt_and_nothing_is_repeated(
    case: Case, carrier: Any, server: WireServer, behaviour: Any
):
    server.default = behaviour
    outcome = only(carrier.transmit([case.transmission()], key="k"))

    assert outcome.kind is OutcomeKind.UNKNOWN
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", UNREADABLE_BODIES)
def test_a_good_status_with_a_spoilt_body_was_probably_accepted(
    case: Case, carrier: Any, server: WireServer, body: bytes
):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    server.default = say(head.encode() + body)

    assert only(carrier.transmit([case.transmission()], key="k")).kind is OutcomeKind.UNKNOWN


def test_a_redirect_is_not_followed(case: Case, carrier: Any, server: WireServer):
    server.default = say(b"HTTP/1.1 307 Elsewhere\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")

    assert only(carrier.transmit([case.transmission()], key="k")).kind is OutcomeKind.UNKNOWN
    assert len(server.requests) == 1


def test_a_proxy_in_the_environment_is_not_asked(
    case: Case, carrier: Any, server: WireServer, monkeypatch: pytest.MonkeyPatch
):
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    direct = case.provider(server.url)

    assert only(direct.transmit([case.transmission()], key="k")).kind is OutcomeKind.ACCEPTED


def test_looking_up_and_searching_say_none_when_the_provider_is_away(case: Case, server: WireServer):
    server.close()
    provider = case.provider(server.url)

    assert provider.lookup(case.reference) is None
    assert provider.search(address=None, since=NOON, until=NOON) is None


def test_a_forged_callback_is_refused(case: Case, carrier: Any):
    with pytest.raises(InvalidSignature):
        carrier.events(case.forged)


def test_no_address_text_or_secret_reaches_the_logs_at_any_level(
    case: Case, carrier: Any, server: WireServer, caplog: pytest.LogCaptureFixture
):
    names = [None, "twilio", "resend", "urllib3", "botocore", "boto3", "delivery"]
    for name in names:
        if name != "botocore":
            caplog.set_level(logging.DEBUG, logger=name)
    address = case.transmission().address
    server.script += [case.accepted, case.refusal(400, "99999", f"Not to {address}"), reset, stall]
    outcomes = [only(carrier.transmit([case.transmission()], key="k")) for _ in range(4)]

    written = caplog.text + repr([record.__dict__ for record in caplog.records]) + repr(outcomes)
    for canary in (MAYA_PHONE, MAYA_PHONE[1:], MAYA_MAIL, "canary-text", *SECRETS):
        assert canary not in written, canary
