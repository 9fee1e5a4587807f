"""Resend's idempotency keys and batches, through its own SDK."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from resend.exceptions import ResendError

from tests.sandbox.conftest import letter, start_sandbox, wait_for


def refused(call, *arguments):
    """The error of a call that must fail."""
    with pytest.raises(ResendError) as error:
        call(*arguments)
    return error.value


def test_the_same_key_and_body_is_answered_as_the_first_time(sandbox, mailer, catcher):
    first = mailer.Emails.send(letter(), {"idempotency_key": "k"})
    again = mailer.Emails.send(letter(), {"idempotency_key": "k"})
    reordered = mailer.Emails.send(dict(reversed(letter().items())), {"idempotency_key": "k"})
    assert first["id"] == again["id"] == reordered["id"]
    assert [entry["outcome"] for entry in sandbox.messages()] == ["accepted", "replayed", "replayed"]
    wait_for(lambda: len(catcher.at("/resend")) == 2)
    assert len(mailer.Emails.list()["data"]) == 1

    error = refused(mailer.Emails.send, letter(subject="Other"), {"idempotency_key": "k"})
    assert (error.code, error.error_type) == (409, "invalid_idempotent_request")
    error = refused(mailer.Emails.send, letter(), {"idempotency_key": "k" * 257})
    assert (error.code, error.error_type) == (400, "invalid_idempotency_key")


def test_a_key_in_use_is_refused_until_the_first_request_is_decided(sandbox, mailer):
    sandbox.fault("resend", "latency", count=1, params={"fixed_ms": 400})
    with ThreadPoolExecutor() as pool:
        first = pool.submit(mailer.Emails.send, letter(), {"idempotency_key": "k"})
        time.sleep(0.15)
        error = refused(mailer.Emails.send, letter(), {"idempotency_key": "k"})
        assert (error.code, error.error_type) == (409, "concurrent_idempotent_requests")
        assert first.result()["id"] == mailer.Emails.send(letter(), {"idempotency_key": "k"})["id"]


def test_a_refused_request_does_not_use_its_key_up(sandbox, mailer):
    refused(mailer.Emails.send, letter(subject=""), {"idempotency_key": "k"})
    assert mailer.Emails.send(letter(), {"idempotency_key": "k"})["id"]


def test_a_key_is_forgotten_after_its_time_and_example_domains_can_be_refused(mailer, monkeypatch, tmp_path):
    with start_sandbox(tmp_path, idempotency_ttl_s="0.3", refuse_example_domains="1") as sandbox:
        monkeypatch.setattr(mailer, "api_url", sandbox.url)
        first = mailer.Emails.send(letter(), {"idempotency_key": "k"})
        time.sleep(0.35)
        assert mailer.Emails.send(letter(), {"idempotency_key": "k"})["id"] != first["id"]
        assert refused(mailer.Emails.send, letter("maria@example.com")).code == 422


def test_a_batch_is_taken_whole_or_not_at_all(sandbox, mailer, catcher):
    emails = [letter(f"delivered+{number}@resend.dev") for number in range(100)]
    sent = mailer.Batch.send(emails, {"idempotency_key": "batch"})
    assert len({row["id"] for row in sent["data"]}) == 100
    assert mailer.Batch.send(emails, {"idempotency_key": "batch"})["data"] == sent["data"]
    assert refused(mailer.Batch.send, emails[:99], {"idempotency_key": "batch"}).code == 409
    assert [entry["batch"]["index"] for entry in sandbox.messages(outcome="accepted")] == list(range(100))
    assert sandbox.call("GET", "/_sandbox/messages", count="1")["by_outcome"] == {
        "accepted": 100, "replayed": 100, "refused": 99,
    }  # fmt: skip

    assert refused(mailer.Batch.send, [*emails, letter()]).code == 422
    assert refused(mailer.Batch.send, []).code == 422
    assert refused(mailer.Batch.send, [letter(), letter(to="nobody")]).code == 422
    for field, value in {
        "attachments": [{"filename": "a.txt", "content": "eA=="}],
        "scheduled_at": "in 1 min",
    }.items():
        assert field in refused(mailer.Batch.send, [letter(**{field: value})]).message


def test_a_permissive_batch_sends_the_good_ones(sandbox, mailer):
    emails = [letter(), letter(to="nobody"), letter("bounced@resend.dev")]
    options = {"batch_validation": "permissive", "idempotency_key": "p"}
    sent = mailer.Batch.send(emails, options)
    assert len(sent["data"]) == 2
    assert [error["index"] for error in sent["errors"]] == [1]
    assert mailer.Batch.send(emails, options)["errors"] == sent["errors"]
