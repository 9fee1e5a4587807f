"""Resend's untouched SDK against the sandbox."""

from datetime import UTC, datetime, timedelta

import pytest
from resend.exceptions import ResendError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from sandbox.settings import DEFAULT_WEBHOOK_SECRET
from tests.sandbox.conftest import letter, start_sandbox, wait_for

HOOK = Webhook(DEFAULT_WEBHOOK_SECRET)


def svix(caught):
    """The Svix headers under the names that the Standard Webhooks library knows."""
    return {name.lower().replace("svix-", "webhook-"): value for name, value in caught.headers.items()}


def events(catcher, count):
    """The verified payloads of so many events."""
    return [HOOK.verify(caught.body, svix(caught)) for caught in catcher.wait("/resend", count)]


def refused(call, *arguments):
    """The error of a call that must fail."""
    with pytest.raises(ResendError) as error:
        call(*arguments)
    return error.value


def test_maria_gets_an_email_and_its_events_are_signed(sandbox, mailer, catcher):
    tags = [{"name": "attempt", "value": "a-7"}]
    sent = mailer.Emails.send(letter(tags=tags), {"idempotency_key": "maria/1"})
    payloads = events(catcher, 2)
    assert [payload["type"] for payload in payloads] == ["email.sent", "email.delivered"]
    assert payloads[0]["data"] | {"created_at": "", "message_id": ""} == {
        "created_at": "",
        "email_id": sent["id"],
        "message_id": "",
        "from": "Mingus <hello@mingus.test>",
        "to": ["delivered@resend.dev"],
        "subject": "Your month",
        "tags": {"attempt": "a-7"},
    }
    for caught in catcher.at("/resend"):
        with pytest.raises(WebhookVerificationError):
            HOOK.verify(caught.body + b" ", svix(caught))
        headers = {name.lower().removeprefix("svix-"): value for name, value in caught.headers.items()}
        check = {
            "payload": caught.body.decode(),
            "headers": headers,
            "webhook_secret": DEFAULT_WEBHOOK_SECRET,
        }
        assert mailer.Webhooks.verify(check)["type"].startswith("email.")

    email = mailer.Emails.get(sent["id"])
    assert (email["object"], email["last_event"]) == ("email", "delivered")
    assert (email["html"], email["text"], email["to"]) == (
        letter()["html"],
        "Hello",
        ["delivered@resend.dev"],
    )


@pytest.mark.parametrize(
    "case",
    [
        # resend.com/docs/dashboard/emails/send-test-emails
        ("delivered@resend.dev", ["sent", "delivered"], {}),
        ("delivered+signup@resend.dev", ["sent", "delivered"], {}),
        ("maria@mail.test", ["sent", "delivered"], {}),
        (
            "bounced+label@resend.dev",
            ["sent", "bounced"],
            {"bounce": {"type": "Permanent", "subType": "General"}},
        ),
        ("complained@resend.dev", ["sent", "delivered", "complained"], {}),
        ("suppressed@resend.dev", ["suppressed"], {"suppressed": {"type": "OnAccountSuppressionList"}}),
        # the sandbox's additions
        ("bounced.transient@resend.dev", ["sent", "bounced"], {"bounce": {"type": "Transient"}}),
        ("bounced.undetermined@resend.dev", ["sent", "bounced"], {"bounce": {"type": "Undetermined"}}),
        ("delayed@resend.dev", ["sent", "delivery_delayed", "delivered"], {}),
        ("stuck@resend.dev", ["sent", "delivery_delayed"], {}),
        ("failed@resend.dev", ["failed"], {"failed": {"reason": "reached_daily_quota"}}),
        ("clicked@resend.dev", ["sent", "delivered", "opened", "clicked"], {}),
    ],
)
def test_the_address_decides_what_becomes_of_an_email(sandbox, mailer, catcher, case):
    to, told, detail = case
    sent = mailer.Emails.send(letter(to))
    payloads = events(catcher, len(told))
    assert [payload["type"] for payload in payloads] == [f"email.{kind}" for kind in told]
    assert mailer.Emails.get(sent["id"])["last_event"] == told[-1]
    for name, fields in detail.items():
        assert fields.items() <= payloads[-1]["data"][name].items()


def test_a_silent_address_is_delivered_without_a_word(sandbox, mailer, catcher):
    sent = mailer.Emails.send(letter("silent@resend.dev"))
    wait_for(lambda: mailer.Emails.get(sent["id"])["last_event"] == "delivered")
    assert catcher.at("/resend") == []


@pytest.mark.parametrize(
    ("fields", "status", "name"),
    [
        ({"to": []}, 422, "missing_required_field"),
        ({"subject": ""}, 422, "missing_required_field"),
        ({"html": None, "text": None}, 422, "missing_required_field"),
        ({"from": "hello"}, 422, "invalid_from_address"),
        ({"to": ["maria"]}, 422, "validation_error"),
        ({"to": ["maria@mail.test, james@mail.test"]}, 422, "validation_error"),
        ({"to": [f"m{number}@mail.test" for number in range(51)]}, 422, "validation_error"),
        ({"reply_to": "nobody"}, 422, "validation_error"),
        ({"tags": [{"name": "é", "value": "x"}]}, 422, "validation_error"),
        ({"tags": [{"name": "user", "value": "maria smith"}]}, 422, "validation_error"),
        ({"attachments": [{"filename": "a.pdf"}]}, 422, "invalid_attachment"),
    ],
)
def test_what_resend_refuses_is_refused_with_its_name_and_written_down(sandbox, mailer, fields, status, name):
    error = refused(mailer.Emails.send, letter(**fields))
    assert (error.code, error.error_type) == (status, name)
    (entry,) = sandbox.messages()
    assert (entry["outcome"], entry["code"], entry["http_status"]) == ("refused", name, status)


@pytest.mark.parametrize(
    ("key", "status", "name"), [("", 401, "missing_api_key"), ("re_guess", 403, "invalid_api_key")]
)
def test_a_wrong_key_is_not_let_in(sandbox, mailer, key, status, name):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    for method, path in (("POST", "/emails"), ("GET", "/emails")):
        answer = sandbox.http.request(method, sandbox.url + path, headers=headers, body=b"{}")
        assert (answer.status, answer.json()["name"], answer.json()["statusCode"]) == (status, name, status)


def test_unknown_paths_and_methods_are_answered_in_resends_words(sandbox, mailer):
    assert refused(mailer.Emails.get, "0" * 36).error_type == "not_found"
    for method, path, name in (("GET", "/nothing", "not_found"), ("PUT", "/emails", "method_not_allowed")):
        assert sandbox.call(method, path)["name"] == name


def test_emails_are_listed_newest_first_and_paged_by_id(sandbox, mailer):
    ids = [mailer.Emails.send(letter())["id"] for _ in range(5)][::-1]
    assert [row["id"] for row in mailer.Emails.list()["data"]] == ids
    page = mailer.Emails.list({"limit": 2})
    assert ([row["id"] for row in page["data"]], page["has_more"]) == (ids[:2], True)
    page = mailer.Emails.list({"limit": 3, "after": ids[1]})
    assert ([row["id"] for row in page["data"]], page["has_more"]) == (ids[2:], False)
    page = mailer.Emails.list({"limit": 2, "before": ids[3]})
    assert ([row["id"] for row in page["data"]], page["has_more"]) == (ids[1:3], True)
    assert refused(mailer.Emails.list, {"limit": 101}).code == 422


def test_a_scheduled_email_waits_and_can_be_cancelled(sandbox, mailer):
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    sent = mailer.Emails.send(letter(scheduled_at=later))
    assert mailer.Emails.get(sent["id"])["last_event"] == "scheduled"
    sooner = (datetime.now(UTC) + timedelta(seconds=0.1)).isoformat()
    mailer.Emails.update({"id": sent["id"], "scheduled_at": sooner})
    wait_for(lambda: mailer.Emails.get(sent["id"])["last_event"] == "delivered")
    other = mailer.Emails.send(letter(scheduled_at=later))
    assert mailer.Emails.cancel(other["id"])["id"] == other["id"]
    assert mailer.Emails.get(other["id"])["last_event"] == "canceled"
    assert refused(mailer.Emails.cancel, other["id"]).code == 422


def test_an_attachment_whose_extension_does_not_match_its_type_is_dropped(sandbox, mailer):
    good = {"filename": "report.pdf", "content": "JVBERi0=", "content_type": "application/pdf"}
    bad = {"filename": "report.pdf", "content": "JVBERi0=", "content_type": "text/csv"}
    mailer.Emails.send(letter(attachments=[good, bad]))
    (entry,) = sandbox.messages()
    assert [attachment["filename"] for attachment in entry["attachments"]] == ["report.pdf"]
    assert entry["attachments_dropped"] == ["report.pdf"]


def test_every_answer_tells_the_rate_limit_and_more_is_refused(mailer, monkeypatch, tmp_path):
    with start_sandbox(tmp_path, resend_rate_limit="2") as sandbox:
        monkeypatch.setattr(mailer, "api_url", sandbox.url)
        errors = []
        for _ in range(6):
            try:
                headers = mailer.Emails.send(letter())["http_headers"]
            except ResendError as error:
                errors.append(error)
            else:
                assert (headers["ratelimit-limit"], headers["ratelimit-reset"]) == ("2", "1")
                assert int(headers["ratelimit-remaining"]) in {0, 1}
        assert {(error.code, error.error_type, error.headers["retry-after"]) for error in errors} == {
            (429, "rate_limit_exceeded", "1")
        }


def test_suppressed_addresses_get_nothing_until_they_are_lifted(sandbox, mailer, catcher):
    row = mailer.Suppressions.add({"email": "Maria <maria@mail.test>"})
    assert mailer.Suppressions.add({"email": "MARIA@mail.test"})["id"] == row["id"]
    sent = mailer.Emails.send(letter("maria@mail.test"))
    assert [payload["type"] for payload in events(catcher, 1)] == ["email.suppressed"]
    assert mailer.Emails.get(sent["id"])["last_event"] == "suppressed"
    found = mailer.Suppressions.get("maria@mail.test")
    assert (found["origin"], found["source_id"]) == ("manual", None)
    assert [item["email"] for item in mailer.Suppressions.list({"origin": "manual"})["data"]] == [
        "maria@mail.test"
    ]
    assert mailer.Suppressions.remove(row["id"])["deleted"]
    assert refused(mailer.Suppressions.get, "maria@mail.test").error_type == "not_found"
    assert (
        len(mailer.Suppressions.Batch.add({"emails": ["a@mail.test", "A@mail.test", "b@mail.test"]})["data"])
        == 2
    )
    assert len(mailer.Suppressions.Batch.remove({"emails": ["a@mail.test", "b@mail.test"]})["data"]) == 2
