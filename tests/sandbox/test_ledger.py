"""What was answered is on disk: counted after the sandbox was killed in the middle of its work."""

import json
import subprocess
import sys
import threading

import pytest
import requests
import resend
from twilio.base.exceptions import TwilioException

from tests.sandbox.conftest import MARIA, SENDER, letter, start_sandbox, twilio_client, wait_for


@pytest.fixture
def mail_to(monkeypatch):
    """Points Resend's SDK at a sandbox."""
    monkeypatch.setattr(resend, "api_key", "re_sandbox")
    return lambda sandbox: monkeypatch.setattr(resend, "api_url", sandbox.url)


def test_no_answered_send_is_lost_or_doubled_by_kill_9(tmp_path, mail_to):
    answered: list[str] = []

    def send_until_it_dies(client):
        while True:
            try:
                answered.append(client.messages.create(to=MARIA, from_=SENDER, body="Hello").sid)
            except (requests.RequestException, TwilioException):
                return

    with start_sandbox(tmp_path) as sandbox:
        threads = [
            threading.Thread(target=send_until_it_dies, args=(twilio_client(sandbox),)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(answered) > 150)
        sandbox.kill()
        for thread in threads:
            thread.join()

    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_bytes().splitlines()]
    written = [line["id"] for line in lines]
    assert len(written) == len(set(written))
    assert set(answered) <= set(written)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))

    with start_sandbox(tmp_path) as sandbox:
        counts = sandbox.call("GET", "/_sandbox/messages", count="1")
        assert counts["total"] == len(written)
        wait_for(
            lambda: (
                sandbox.call("GET", "/_sandbox/messages", count="1")["by_status"]
                == {"delivered": len(written)}
            )
        )
        client = twilio_client(sandbox)
        assert client.messages.create(to=MARIA, from_=SENDER, body="Again").sid not in written
        assert sandbox.messages()[-1]["seq"] == len(written) + 1


def test_keys_opt_outs_suppressions_and_statuses_survive_a_restart(tmp_path, mail_to):
    emails = [letter(), letter(to="nobody"), letter("bounced@resend.dev")]
    options = {"idempotency_key": "batch", "batch_validation": "permissive"}
    with start_sandbox(tmp_path, twilio_inbound_url="http://127.0.0.1:9/") as sandbox:
        mail_to(sandbox)
        single = resend.Emails.send(letter(), {"idempotency_key": "one"})
        batch = resend.Batch.send(emails, options)
        resend.Suppressions.add({"email": "maria@mail.test"})
        sandbox.call("POST", "/_sandbox/inbound", {"from": MARIA, "to": SENDER, "body": "stop"})
        wait_for(lambda: resend.Emails.get(batch["data"][1]["id"])["last_event"] == "bounced")
        sandbox.kill()
    with (tmp_path / "ledger.jsonl").open("ab") as ledger:
        ledger.write(b'{"seq": 99, "torn')

    with start_sandbox(tmp_path) as sandbox:
        mail_to(sandbox)
        assert resend.Emails.send(letter(), {"idempotency_key": "one"})["id"] == single["id"]
        again = resend.Batch.send(emails, options)
        assert (again["data"], again["errors"]) == (batch["data"], batch["errors"])
        assert resend.Emails.get(batch["data"][1]["id"])["last_event"] == "bounced"
        assert resend.Suppressions.get("maria@mail.test")["origin"] == "manual"
        with pytest.raises(TwilioException, match="unsubscribed"):
            twilio_client(sandbox).messages.create(to=MARIA, from_=SENDER, body="Hello")


def test_a_folder_belongs_to_one_sandbox(tmp_path):
    with start_sandbox(tmp_path):
        second = subprocess.run(
            [sys.executable, "-m", "sandbox", "--port", "0", "--data", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert second.returncode == 2
    assert "in use by another sandbox" in second.stderr
