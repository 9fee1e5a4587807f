"""Each kind of fault, seen from the vendors' SDKs; what the ledger says is compared with what the client saw."""

import time

import pytest
import requests
from resend.exceptions import ResendError
from twilio.base.exceptions import TwilioRestException

from tests.sandbox.conftest import MARIA, SENDER, letter


def text(twilio, **fields):
    return twilio.messages.create(**({"to": MARIA, "from_": SENDER, "body": "Hello"} | fields))


def outcomes(sandbox):
    return [(entry["outcome"], entry["fault"]) for entry in sandbox.messages()]


@pytest.mark.parametrize(
    "case",
    [
        ("429", {}, 429, 20429),
        ("5xx_before", {}, 500, 20500),
        ("5xx_before", {"status": 503}, 503, 20503),
        ("5xx_before", {"status": 502, "code": 20500}, 502, 20500),
        ("rate_limit", {"per_second": 0}, 429, 20429),
    ],
)
def test_twilio_refuses_and_takes_nothing(sandbox, twilio, case):
    kind, params, status, code = case
    sandbox.fault("twilio", kind, count=1, params=params)
    with pytest.raises(TwilioRestException) as error:
        text(twilio)
    assert (error.value.status, error.value.code) == (status, code)
    text(twilio)
    assert outcomes(sandbox) == [("refused", kind), ("accepted", None)]


@pytest.mark.parametrize(
    "case",
    [
        ("429", {"retry_after": 7}, 429, "rate_limit_exceeded"),
        ("429", {"code": "daily_quota_exceeded"}, 429, "daily_quota_exceeded"),
        ("5xx_before", {}, 500, "internal_server_error"),
        ("rate_limit", {"per_second": 0, "retry_after": 7}, 429, "rate_limit_exceeded"),
    ],
)
def test_resend_refuses_and_takes_nothing(sandbox, mailer, case):
    kind, params, status, name = case
    sandbox.fault("resend", kind, count=1, params=params)
    with pytest.raises(ResendError) as error:
        mailer.Emails.send(letter(), {"idempotency_key": "k"})
    assert (error.value.code, error.value.error_type) == (status, name)
    if status == 429:
        assert error.value.headers["retry-after"] == str(params.get("retry_after", 1))
    mailer.Emails.send(letter(), {"idempotency_key": "k"})
    assert outcomes(sandbox) == [("refused", kind), ("accepted", None)]


def test_twilio_takes_the_text_and_answers_with_an_error(sandbox, twilio):
    sandbox.fault("twilio", "5xx_after", count=1)
    with pytest.raises(TwilioRestException) as error:
        text(twilio)
    assert error.value.status == 500
    assert outcomes(sandbox) == [("accepted", "5xx_after")]
    assert len(twilio.messages.list(to=MARIA)) == 1


def test_resend_takes_the_mail_and_answers_with_an_error_so_that_a_repeat_is_safe(sandbox, mailer):
    sandbox.fault("resend", "5xx_after", count=1)
    with pytest.raises(ResendError):
        mailer.Emails.send(letter(), {"idempotency_key": "k"})
    sent = mailer.Emails.send(letter(), {"idempotency_key": "k"})
    first, second = sandbox.messages()
    assert (first["outcome"], first["fault"], second["outcome"]) == ("accepted", "5xx_after", "replayed")
    assert first["id"] == second["id"] == sent["id"]


def test_an_answer_that_never_comes_ends_in_a_timeout_after_the_text_was_taken(sandbox, twilio):
    sandbox.fault("twilio", "accept_then_hang", count=1, params={"hang_seconds": 30})
    twilio.http_client.timeout = 0.3
    with pytest.raises(requests.ReadTimeout):
        text(twilio)
    assert outcomes(sandbox) == [("accepted", "accept_then_hang")]


def test_a_key_is_free_while_the_first_answer_hangs(sandbox, mailer):
    sandbox.fault("resend", "accept_then_hang", count=1, params={"hang_seconds": 0.2})
    with pytest.raises(ResendError) as error:
        mailer.Emails.send(letter(), {"idempotency_key": "k"})
    assert error.value.error_type == "HttpClientError"
    assert mailer.Emails.send(letter(), {"idempotency_key": "k"})["id"] == sandbox.messages()[0]["id"]


@pytest.mark.parametrize(("when", "outcome"), [("before", "refused"), ("after", "accepted")])
def test_a_connection_is_reset(sandbox, twilio, when, outcome):
    sandbox.fault("twilio", "reset", count=1, params={"when": when})
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        text(twilio)
    assert outcomes(sandbox) == [(outcome, "reset")]
    text(twilio)


@pytest.mark.parametrize("shape", ["truncated", "html"])
def test_a_body_is_spoilt_after_the_text_was_taken(sandbox, twilio, shape):
    sandbox.fault("twilio", "malformed", count=1, params={"shape": shape})
    with pytest.raises(ValueError, match=r"Expecting value|Unterminated|delimiter"):
        text(twilio)
    assert outcomes(sandbox) == [("accepted", "malformed")]


def test_an_empty_body_leaves_twilios_sdk_with_a_message_without_a_sid(sandbox, twilio):
    sandbox.fault("twilio", "malformed", count=1, params={"shape": "empty"})
    assert text(twilio).sid is None
    assert outcomes(sandbox) == [("accepted", "malformed")]


@pytest.mark.parametrize(
    ("params", "least", "most"),
    [
        ({"fixed_ms": 150}, 0.15, 20.0),
        ({"uniform": [100, 200]}, 0.1, 20.0),
        ({"lognormal": {"median_ms": 150, "sigma": 0.01}}, 0.13, 20.0),
    ],
)
def test_an_answer_is_late(sandbox, twilio, params, least, most):
    sandbox.fault("any", "latency", count=1, params=params)
    began = time.monotonic()
    text(twilio)
    assert least <= time.monotonic() - began < most
    assert outcomes(sandbox) == [("accepted", "latency")]


def test_reads_can_be_spoilt_on_their_own(sandbox, twilio):
    sandbox.fault("twilio", "5xx_before", scope="read", count=1)
    message = text(twilio)
    with pytest.raises(TwilioRestException) as error:
        message.fetch()
    assert error.value.status == 500
    assert message.fetch().sid == message.sid


def test_the_same_seed_strikes_the_same_requests(sandbox, twilio):
    def struck():
        sandbox.call("DELETE", "/_sandbox/messages")
        sandbox.fault("twilio", "5xx_after", probability=0.4, seed=11)
        for _ in range(20):
            try:
                text(twilio)
            except TwilioRestException:
                continue
        assert sandbox.call("GET", "/_sandbox/faults")["faults"][0]["applied"] == len(
            [1 for _, fault in outcomes(sandbox) if fault]
        )
        sandbox.call("DELETE", "/_sandbox/faults")
        return [fault for _, fault in outcomes(sandbox)]

    first = struck()
    assert first == struck()
    assert 0 < sum(fault is not None for fault in first) < 20


def test_a_fault_is_aimed_at_a_recipient_and_ends_in_time(sandbox, twilio, mailer):
    sandbox.fault("twilio", "429", to="+1303*")
    added = sandbox.fault("twilio", "5xx_before", seconds=0.05)
    time.sleep(0.1)
    text(twilio)
    mailer.Emails.send(letter())
    with pytest.raises(TwilioRestException):
        text(twilio, to="+13035550144")
    faults = sandbox.call("GET", "/_sandbox/faults")["faults"]
    assert [(fault["applied"], fault["spent"]) for fault in faults] == [(1, False), (0, True)]
    assert sandbox.call("DELETE", f"/_sandbox/faults/{added['id']}")["_status"] == 204
    assert sandbox.call("DELETE", f"/_sandbox/faults/{added['id']}")["_status"] == 404
    assert sandbox.call("DELETE", "/_sandbox/faults")["removed"] == 1


def test_what_exceeds_a_rate_limit_waits(sandbox, twilio):
    sandbox.fault("twilio", "rate_limit", params={"per_second": 3})
    codes = []
    for _ in range(12):
        try:
            text(twilio)
        except TwilioRestException as error:
            codes.append(error.code)
    assert set(codes) == {20429}
    assert len(codes) >= 6


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ([], "body"),
        ({"kind": "429"}, "provider"),
        ({"provider": "sns", "kind": "429"}, "provider"),
        ({"provider": "any", "kind": "explode"}, "kind"),
        ({"provider": "any", "kind": "429", "probability": 1.5}, "probability"),
        ({"provider": "any", "kind": "429", "count": 0}, "count"),
        ({"provider": "any", "kind": "429", "seconds": 0}, "seconds"),
        ({"provider": "any", "kind": "429", "scope": "writes"}, "scope"),
        ({"provider": "any", "kind": "429", "colour": "red"}, "colour"),
        ({"provider": "any", "kind": "429", "params": {"retry_after": -1}}, "params.retry_after"),
        ({"provider": "any", "kind": "latency"}, "params"),
        ({"provider": "any", "kind": "latency", "params": {"fixed_ms": 1, "uniform": [1, 2]}}, "params"),
        ({"provider": "any", "kind": "latency", "params": {"uniform": [2, 1]}}, "params"),
        (
            {"provider": "any", "kind": "latency", "params": {"lognormal": {"median_ms": 5}}},
            "params.lognormal.sigma",
        ),
        ({"provider": "any", "kind": "rate_limit"}, "params.per_second"),
        ({"provider": "any", "kind": "reset", "params": {"when": "now"}}, "params.when"),
        ({"provider": "any", "kind": "malformed", "params": {"shape": "round"}}, "params.shape"),
        ({"provider": "any", "kind": "callbacks_drop", "params": {"times": 2}}, "params.times"),
    ],
)
def test_a_wrong_fault_is_answered_with_the_field_that_is_wrong(sandbox, fault, field):
    answer = sandbox.call("POST", "/_sandbox/faults", fault)
    assert (answer["_status"], answer["error"], answer["field"]) == (422, "invalid_request", field)
    assert answer["message"]
    assert sandbox.call("GET", "/_sandbox/faults")["faults"] == []
