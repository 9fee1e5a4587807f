"""Resend's adapter against the sandbox and the raw wire: the real SDK, batches, keys, attachments, the rate."""

import base64
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.vocabulary import ErrorClass, EventKind, OutcomeKind
from delivery.messages import Attachment
from delivery.providers.base import Pace
from delivery.providers.resend import ResendProvider
from tests.providers.people import API_KEY, MAYA_MAIL, NOON, given_settings, mail
from tests.providers.wire_server import WireServer, answer
from tests.sandbox.conftest import Sandbox, wait_for

REPORT = Attachment("report.pdf", "application/pdf", b"%PDF-1.7 canary")
CHART = Attachment("chart.png", "image/png", b"\x89PNG chart", content_id="chart")
ACCEPTED, REFUSED, UNKNOWN = OutcomeKind.ACCEPTED, OutcomeKind.REFUSED_FOR_GOOD, OutcomeKind.UNKNOWN


@pytest.fixture
def resend(sandbox: Sandbox) -> ResendProvider:
    return ResendProvider(given_settings(resend_base_url=sandbox.url, provider_read_timeout=5))


@pytest.fixture
def on_the_wire(server: WireServer) -> ResendProvider:
    return ResendProvider(given_settings(resend_base_url=server.url), clock=lambda: NOON)


def people(count: int) -> list[Any]:
    return [mail(f"person{n}@mail.test") for n in range(count)]


def test_maya_gets_her_mail_with_our_ids_headers_and_key(on_the_wire: ResendProvider, server: WireServer):
    server.default = answer(200, {"id": "re-1"})
    maya = mail()
    on_the_wire.transmit([maya], key="key-of-maya")

    request = server.requests[0]
    assert (request.method, request.target) == ("POST", "/emails")
    assert request.headers["idempotency-key"] == "key-of-maya"
    assert request.headers["authorization"] == f"Bearer {API_KEY}"
    assert request.json == {
        "from": "MINGUS <hello@mingus.example>",
        "to": [MAYA_MAIL],
        "subject": "Your month, Maya",
        "text": "Your canary-text month\n",
        "html": "<p>Your canary-text month</p>",
        "headers": dict(maya.message.headers),
        "tags": [
            {"name": "attempt_id", "value": str(maya.attempt_id)},
            {"name": "notification_id", "value": str(maya.notification_id)},
            {"name": "message_type", "value": "payment_reminder"},
        ],
    }


def test_tags_hold_nothing_that_resend_would_refuse(on_the_wire: ResendProvider, server: WireServer):
    server.default = answer(200, {"id": "re-1"})
    on_the_wire.transmit([mail(message_type="März 2026!")], key="k")

    assert {"name": "message_type", "value": "M_rz_2026_"} in server.requests[0].json["tags"]


def test_a_hundred_mails_are_one_call_and_each_has_its_own_reference(
    resend: ResendProvider, sandbox: Sandbox
):
    mails = people(100)
    outcomes = resend.transmit(mails, key="batch-1")

    by_reference = {message["id"]: message["to"] for message in sandbox.messages(provider="resend")}
    assert [by_reference[outcome.reference] for outcome in outcomes] == [[each.address] for each in mails]


def test_one_bad_address_spoils_nobody_elses_mail(resend: ResendProvider, sandbox: Sandbox):
    mails = [*people(2), mail("not an address"), *people(4)[2:], mail("@nobody")]
    outcomes = resend.transmit(mails, key="batch-1")

    assert [outcome.kind for outcome in outcomes] == [
        ACCEPTED,
        ACCEPTED,
        REFUSED,
        ACCEPTED,
        ACCEPTED,
        REFUSED,
    ]
    assert outcomes[2].error_class is ErrorClass.PERMANENT_ADDRESS
    assert outcomes[2].suppress_address
    assert outcomes[2].next_channel
    by_reference = {message["id"]: message["to"] for message in sandbox.messages(outcome="accepted")}
    assert by_reference[outcomes[3].reference] == [mails[3].address]


def test_a_repeat_with_the_same_key_and_body_is_answered_and_not_sent(
    resend: ResendProvider, sandbox: Sandbox
):
    sandbox.fault("resend", "5xx_after", count=1)
    first = resend.transmit(people(3), key="batch-1")
    second = resend.transmit(people(3), key="batch-1")
    third = resend.transmit(people(3), key="batch-1")

    assert {outcome.kind for outcome in first} == {UNKNOWN}
    assert [outcome.kind for outcome in second] == [ACCEPTED] * 3
    assert second == third
    assert len(sandbox.messages(provider="resend", outcome="accepted")) == 3


def test_a_key_used_with_another_body_says_that_the_first_was_probably_accepted(resend: ResendProvider):
    resend.transmit([mail()], key="k")
    outcome = resend.transmit([mail("somebody.else@mail.test")], key="k")[0]

    assert (outcome.kind, outcome.code) == (UNKNOWN, "invalid_idempotent_request")
    assert outcome.error_class is not ErrorClass.OURS  # or the pipeline would bury it as a dead letter


def test_a_mail_with_attachments_goes_alone_and_whole(
    resend: ResendProvider, on_the_wire: Any, server: WireServer
):
    server.default = answer(200, {"id": "re-1"})
    assert not on_the_wire.batchable(mail(attachments=(REPORT,)))
    assert on_the_wire.batchable(mail())

    on_the_wire.transmit([mail(attachments=(REPORT, CHART))], key="k")

    assert server.requests[0].json["attachments"] == [
        {
            "filename": "report.pdf",
            "content": base64.b64encode(REPORT.content).decode(),
            "content_type": "application/pdf",
        },
        {
            "filename": "chart.png",
            "content": base64.b64encode(CHART.content).decode(),
            "content_type": "image/png",
            "content_id": "chart",
        },
    ]


@pytest.mark.parametrize(
    "attachment",
    [
        Attachment("report.pdf", "image/png", b""),
        Attachment("report", "application/pdf", b""),
        Attachment(".pdf", "application/pdf", b""),
        Attachment("report.exe", "application/octet-stream", b""),
        Attachment("report.pdf", "application/pdf", b"x" * (31 * 1024 * 1024)),
    ],
    ids=["type", "no extension", "only an extension", "not a file for a mail", "too big"],
)
def test_an_attachment_that_would_silently_be_dropped_is_refused_aloud(
    on_the_wire: ResendProvider, server: WireServer, attachment: Attachment
):
    outcome = on_the_wire.transmit([mail(attachments=(attachment,))], key="k")[0]

    assert (outcome.kind, outcome.error_class, outcome.code) == (REFUSED, ErrorClass.OURS, "attachment")
    assert outcome.detail
    assert server.requests == []


@pytest.mark.parametrize(
    "members", [people(101), [mail(), mail(attachments=(REPORT,))]], ids=["101", "attachment"]
)
def test_members_that_can_not_share_a_call_are_a_programming_error(
    on_the_wire: ResendProvider, members: list[Any]
):
    with pytest.raises(ValueError, match="batch"):
        on_the_wire.transmit(members, key="k")


def test_the_pace_is_what_resend_last_said(on_the_wire: ResendProvider, server: WireServer):
    assert on_the_wire.pace is None
    server.script = [
        answer(200, {"id": "1"}, ratelimit_limit="10", ratelimit_remaining="3", ratelimit_reset="1"),
        answer(429, {"name": "rate_limit_exceeded", "message": "slow"}, ratelimit_limit="10", ratelimit_remaining="0", ratelimit_reset="0.5"),
        answer(200, {"id": "2"}),
        answer(200, {"id": "3"}, ratelimit_limit="ten", ratelimit_remaining="x", ratelimit_reset=""),
    ]  # fmt: skip
    paces = []
    for _ in range(4):
        on_the_wire.transmit([mail()], key="k")
        paces.append(on_the_wire.pace)

    assert paces == [Pace(10, 3, 1.0), Pace(10, 0, 0.5), Pace(10, 0, 0.5), Pace(10, 0, 0.5)]


@pytest.mark.parametrize(
    ("name", "status", "kind", "misconfigured"),
    [
        ("rate_limit_exceeded", 429, OutcomeKind.RETRY_LATER, False),
        ("daily_quota_exceeded", 429, OutcomeKind.QUOTA_EXHAUSTED, False),
        ("monthly_quota_exceeded", 429, OutcomeKind.QUOTA_EXHAUSTED, False),
        ("concurrent_idempotent_requests", 409, OutcomeKind.RETRY_LATER, False),
        ("invalid_idempotent_request", 409, UNKNOWN, False),
        ("validation_error", 403, REFUSED, True),
        ("validation_error", 422, REFUSED, False),
        ("security_error", 451, REFUSED, False),
        ("restricted_api_key", 401, REFUSED, True),
    ],
)
def test_one_status_has_several_meanings_and_the_name_decides(
    *,
    on_the_wire: ResendProvider,
    server: WireServer,
    name: str,
    status: int,
    kind: OutcomeKind,
    misconfigured: bool,
):
    server.default = answer(status, {"name": name, "message": "said", "statusCode": status})
    outcomes = on_the_wire.transmit(people(2), key="k")

    assert {(outcome.kind, outcome.code, outcome.misconfigured) for outcome in outcomes} == {
        (kind, name, misconfigured)
    }


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"id": "1"}]},
        {"data": [{"id": "1"}, {"id": "2"}, {"id": "3"}]},
        {"data": [{"id": "1"}, {"id": "2"}], "errors": [{"index": 0, "message": "no"}]},
        {"data": None},
        {"data": "12"},
        {"data": [1, 2]},
        {"data": [], "errors": [{"index": "x"}]},
        {"data": [], "errors": [7]},
        {"data": [], "errors": {}},
        {},
    ],
)
def test_a_batch_answer_that_does_not_fit_leaves_all_members_in_doubt(
    on_the_wire: ResendProvider, server: WireServer, body: Any
):
    server.default = answer(200, body)
    outcomes = on_the_wire.transmit(people(2), key="k")

    assert [outcome.kind for outcome in outcomes] == [UNKNOWN, UNKNOWN]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "429", "params": {"retry_after": 9}}, OutcomeKind.RETRY_LATER),
        ({"kind": "5xx_before"}, UNKNOWN),
        ({"kind": "reset"}, UNKNOWN),
        ({"kind": "accept_then_hang", "params": {"hang_seconds": 2}}, UNKNOWN),
        ({"kind": "malformed", "params": {"shape": "html"}}, UNKNOWN),
    ],
)
def test_the_whole_batch_shares_the_fate_of_its_call(
    sandbox: Sandbox, fault: dict[str, Any], kind: OutcomeKind
):
    sandbox.fault("resend", **fault)
    resend = ResendProvider(given_settings(resend_base_url=sandbox.url))

    assert {outcome.kind for outcome in resend.transmit(people(3), key="k")} == {kind}


def test_the_status_is_asked_by_reference(resend: ResendProvider):
    maya = mail("delivered@resend.dev")
    reference = resend.transmit([maya], key="k")[0].reference

    event = wait_for(
        lambda: (found := resend.lookup(reference)) and found.kind is EventKind.DELIVERED and found
    )

    assert (event.reference, event.attempt_id) == (reference, maya.attempt_id)
    assert resend.lookup("00000000-0000-4000-8000-000000000000") is None


def test_the_list_is_read_back_over_its_pages_to_the_beginning_of_the_window(
    resend: ResendProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("delivery.providers.resend._PAGE", 2)
    began = datetime.now(UTC)
    resend.transmit(people(5), key="k")
    later = datetime.now(UTC) + timedelta(seconds=5)

    everybody = resend.search(address=None, since=began, until=later)
    one = resend.search(address="person3@mail.test", since=began, until=later)

    assert everybody is not None
    assert {record.address for record in everybody} == {f"person{n}@mail.test" for n in range(5)}
    assert one is not None
    assert [record.body for record in one] == ["Your month, Maya"]
    assert resend.search(address=None, since=later, until=later) == []


def test_a_list_is_read_no_faster_than_resend_allows(on_the_wire: ResendProvider, server: WireServer):
    row = {"id": "1", "created_at": NOON.isoformat(), "to": ["maya@mail.test"], "subject": "Your month"}
    rate = {"ratelimit_limit": "2", "ratelimit_remaining": "0", "ratelimit_reset": "0.3"}
    server.script = [
        answer(200, {"data": [row], "has_more": True}, **rate),
        answer(429, {"name": "rate_limit_exceeded", "message": "slow"}, retry_after="0.2"),
        answer(200, {"data": [row | {"id": "2"}], "has_more": False}),
    ]
    began = time.monotonic()

    found = on_the_wire.search(address=None, since=NOON, until=NOON)
    assert found is not None
    assert [record.reference for record in found] == ["1", "2"]
    assert time.monotonic() - began >= 0.3 + 0.2


def test_a_list_that_is_always_too_busy_says_nothing(
    on_the_wire: ResendProvider, server: WireServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("delivery.providers.resend._LONGEST_PAUSE", 0.001)
    server.default = answer(429, {"name": "rate_limit_exceeded", "message": "slow"}, retry_after="60")

    assert on_the_wire.search(address=None, since=NOON, until=NOON) is None
    assert len(server.requests) == 10


def test_a_list_that_is_not_as_documented_says_nothing(on_the_wire: ResendProvider, server: WireServer):
    for body in ({"data": [{}]}, {"data": [{"id": "1", "created_at": "yesterday"}]}, {"data": None}, {}):
        server.default = answer(200, body)
        assert on_the_wire.search(address=None, since=NOON, until=NOON) is None, body
