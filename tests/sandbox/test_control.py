"""The control API, the customers' side, and what the sandbox is told at its start."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from standardwebhooks.webhooks import Webhook
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from sandbox.settings import DEFAULT_AUTH_TOKEN, DEFAULT_WEBHOOK_SECRET, OPTIONS, SettingsError, read_settings
from tests.sandbox.conftest import MARIA, ROOT, SENDER, letter, start_sandbox, wait_for

TWIML = b'<?xml version="1.0"?><Response><Message>Mingus: 2 &lt; 3. Reply STOP to cancel</Message></Response>'


def test_messages_are_filtered_and_counted(sandbox, twilio, mailer):
    before = datetime.now(UTC)
    twilio.messages.create(to=MARIA, from_=SENDER, body="Hello")
    mailer.Emails.send(letter())
    assert sandbox.call("GET", "/_sandbox/healthz") == {
        "status": "ok",
        "messages": 2,
        "faults": 0,
        "_status": 200,
    }
    (entry,) = sandbox.messages(provider="twilio")
    assert (entry["to"], entry["body"], entry["outcome"], entry["kind"]) == (
        MARIA,
        "Hello",
        "accepted",
        "message",
    )
    (entry,) = sandbox.messages(to="delivered@resend.dev")
    assert entry["html"] == letter()["html"]
    (entry,) = sandbox.messages(to="delivered@resend.dev", brief="1")
    assert "html" not in entry
    assert len(sandbox.messages(since=before.isoformat())) == 2
    assert sandbox.messages(since=(before + timedelta(hours=1)).isoformat()) == []
    assert [entry["provider"] for entry in sandbox.messages(limit="1", offset="1")] == ["resend"]
    wait_for(lambda: len(sandbox.messages(status="delivered")) == 2)
    assert sandbox.messages()[0]["history"][-1][0] == "delivered"
    counts = sandbox.call("GET", "/_sandbox/messages", count="1", outcome="accepted")
    assert counts == {
        "total": 2,
        "by_outcome": {"accepted": 2},
        "by_status": {"delivered": 2},
        "by_provider": {"twilio": 1, "resend": 1},
        "_status": 200,
    }
    assert sandbox.call("DELETE", "/_sandbox/messages")["_status"] == 204
    assert sandbox.messages() == []
    assert twilio.messages.list() == []


@pytest.mark.parametrize(
    ("method", "path", "document", "field"),
    [
        ("GET", "/_sandbox/messages?since=yesterday", None, "since"),
        ("GET", "/_sandbox/messages?limit=some", None, "limit"),
        ("GET", "/_sandbox/messages?form=x", None, "form"),
        ("POST", "/_sandbox/inbound", {"from": "maria", "body": "x"}, "from"),
        ("POST", "/_sandbox/inbound", [], "body"),
        ("POST", "/_sandbox/engage", {"email_id": "?", "kind": "opened"}, "email_id"),
        ("POST", "/_sandbox/webhooks", {"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_control_request_names_the_field(sandbox, method, path, document, field):
    answer = sandbox.call(method, path, document)
    assert (answer["error"], answer["field"]) == ("invalid_request", field)
    assert answer["_status"] in {404, 422}


def test_maria_texts_stop_and_start(sandbox, twilio, catcher):
    def says(body):
        return sandbox.call("POST", "/_sandbox/inbound", {"from": MARIA, "to": SENDER, "body": body})

    assert says(" Stop ")["opt_out_type"] == "STOP"
    with pytest.raises(TwilioRestException) as error:
        twilio.messages.create(to=MARIA, from_=SENDER, body="Hello")
    assert error.value.code == 21610
    twilio.messages.create(to=MARIA, from_="+15125550199", body="Another number of ours may")
    assert says("UNSTOP")["opt_out_type"] == "START"
    twilio.messages.create(to=MARIA, from_=SENDER, body="Hello again")
    assert says("please stop texting me")["opt_out_type"] is None

    caught = catcher.wait("/inbound", 3)
    inbound = [dict(parse_qsl(request.body.decode(), keep_blank_values=True)) for request in caught]
    for request, form in zip(caught, inbound, strict=True):
        signature = request.headers["X-Twilio-Signature"]
        assert RequestValidator(DEFAULT_AUTH_TOKEN).validate(f"{catcher.url}/inbound", form, signature)
        assert (form["From"], form["To"], form["SmsStatus"], form["FromCity"]) == (
            MARIA,
            SENDER,
            "received",
            "",
        )
    assert {form["Body"]: form.get("OptOutType") for form in inbound} == {
        " Stop ": "STOP",
        "UNSTOP": "START",
        "please stop texting me": None,
    }


def test_what_the_answers_twiml_says_is_texted_back(sandbox, twilio, catcher):
    catcher.answers.append((200, TWIML))
    sandbox.call("POST", "/_sandbox/inbound", {"from": MARIA, "to": SENDER, "body": "HELP"})
    wait_for(lambda: sandbox.messages(to=MARIA, status="delivered"))
    (reply,) = twilio.messages.list(to=MARIA)
    assert (reply.body, reply.direction) == ("Mingus: 2 < 3. Reply STOP to cancel", "outbound-reply")
    (inbound,) = twilio.messages.list(from_=MARIA)
    assert (inbound.direction, inbound.status, inbound.price) == ("inbound", "received", None)


def test_maria_opens_clicks_and_complains(sandbox, mailer, catcher):
    sent = mailer.Emails.send(letter("maria@mail.test"))
    catcher.wait("/resend", 2)
    agent = "GoogleImageProxy"
    for kind, fields in {"opened": {"user_agent": agent}, "clicked": {}, "complained": {}}.items():
        answer = sandbox.call("POST", "/_sandbox/engage", {"email_id": sent["id"], "kind": kind, **fields})
        assert answer["_status"] == 202
        wait_for(lambda kind=kind: mailer.Emails.get(sent["id"])["last_event"] == kind)
    told = []
    for caught in catcher.wait("/resend", 5)[2:]:
        headers = {name.lower().replace("svix-", "webhook-"): value for name, value in caught.headers.items()}
        told.append(Webhook(DEFAULT_WEBHOOK_SECRET).verify(caught.body, headers))
    events = {event["type"]: event["data"] for event in told}
    assert events.keys() == {"email.opened", "email.clicked", "email.complained"}
    assert events["email.opened"]["open"]["userAgent"] == agent
    assert events["email.clicked"]["click"]["link"] == "https://mingus.test/report?m=1"
    assert mailer.Suppressions.get("maria@mail.test")["origin"] == "complaint"
    answer = sandbox.call("POST", "/_sandbox/engage", {"email_id": sent["id"], "kind": "read"})
    assert answer["field"] == "kind"


def test_webhook_addresses_can_be_given_later(tmp_path, catcher):
    with start_sandbox(tmp_path) as sandbox:
        answer = sandbox.call("POST", "/_sandbox/inbound", {"from": MARIA, "body": "hi"})
        assert (answer["_status"], answer["field"]) == (422, "url")
        sandbox.call("POST", "/_sandbox/webhooks", {"twilio_inbound_url": f"{catcher.url}/later"})
        assert sandbox.call("POST", "/_sandbox/inbound", {"from": MARIA, "body": "hi"})["_status"] == 202
        catcher.wait("/later", 1)


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["--port", "many"], {}, "SANDBOX_PORT"),
        ([], {"SANDBOX_CALLBACK_DELAY_MS": "soon"}, "SANDBOX_CALLBACK_DELAY_MS"),
        (["--callback-delay-ms", "-1"], {}, "--callback-delay-ms"),
        (["--resend-webhook-secret", "secret"], {}, "whsec_"),
        (["--resend-webhook-secret", "whsec_%%"], {}, "base64"),
        (["--refuse-example-domains", "perhaps"], {}, "SANDBOX_REFUSE_EXAMPLE_DOMAINS"),
        (["--tls-cert", "cert.pem"], {}, "--tls-key"),
    ],
)
def test_a_wrong_setting_is_named(arguments, environment, named):
    with pytest.raises(SettingsError, match=named):
        read_settings(arguments, environment)


def test_a_flag_wins_over_the_environment_and_a_wrong_one_ends_the_start_with_one_line(tmp_path):
    settings = read_settings(["--port", "1"], {"SANDBOX_PORT": "2", "SANDBOX_HOST": "::1"})
    assert (settings.port, settings.host) == (1, "::1")
    command = [sys.executable, "-m", "sandbox", "--port", "x", "--data", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


def test_every_setting_is_documented():
    page = (ROOT / "docs/sandbox.md").read_text()
    for option in OPTIONS:
        assert f"`{option.variable}`" in page
