"""People with names, and a real sandbox that the pipeline sends to through the real SDKs."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from core.embedded import free_ports
from core.vocabulary import Channel, ConsentLevel, Purpose
from delivery.consents import ConsentEntry
from delivery.people import NewPerson


def everything(user_id: str) -> tuple[ConsentEntry, ...]:
    """Consent to all purposes on both channels, with written evidence."""
    return tuple(
        ConsentEntry(
            user_id=user_id, channel=channel, purpose=purpose, granted=True, method="web_form",
            level=ConsentLevel.EXPRESS_WRITTEN, wording="I agree to receive messages from MINGUS", wording_version="1",
        )
        for channel in Channel
        for purpose in Purpose
    )  # fmt: skip


def person(name: str, number: int, **given: Any) -> NewPerson:
    """A person with both addresses and all consents; `number` makes the addresses differ."""
    user_id = given.pop("id", f"user_{name.lower()}")
    defaults: dict[str, Any] = {
        "name": name,
        "phone": f"+1512555{number:04d}",
        "email": f"{name.lower()}@mingus.example",
        "time_zone": "America/Chicago",
        "state": "TX",
        "consents": everything(user_id),
    }
    return NewPerson(id=user_id, **(defaults | given))


@dataclass
class Provider:
    """The running sandbox: what it received, and its faults."""

    url: str
    pid: int

    def messages(self) -> list[dict[str, Any]]:
        """Everything that was accepted, oldest first."""
        return self._call("GET", "/_sandbox/messages?limit=100000")["messages"]

    def fault(self, **fault: Any) -> None:
        self._call("POST", "/_sandbox/faults", fault)

    def clear(self) -> None:
        self._call("DELETE", "/_sandbox/messages")
        self._call("DELETE", "/_sandbox/faults")

    def _call(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
            return json.loads(text) if text else None


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    (port,) = free_ports(1)
    env = os.environ | {
        "SANDBOX_TWILIO_ACCOUNT_SID": os.environ["TWILIO_ACCOUNT_SID"],
        "SANDBOX_TWILIO_AUTH_TOKEN": os.environ["TWILIO_AUTH_TOKEN"],
        "SANDBOX_RESEND_API_KEY": os.environ["RESEND_API_KEY"],
        "SANDBOX_RESEND_WEBHOOK_SECRET": os.environ["RESEND_WEBHOOK_SECRET"],
    }
    command = [sys.executable, "-m", "sandbox", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--data", str(tmp_path_factory.mktemp("sandbox"))]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(f"{url}/_sandbox/healthz", timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < deadline, "the sandbox did not start"
            time.sleep(0.05)
    yield Provider(url, process.pid)
    process.send_signal(signal.SIGTERM)
    process.wait(10)


@pytest.fixture
def provider(
    sandbox_process: Provider, monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]
) -> Provider:
    """The sandbox, empty, with the product's settings pointing at it."""
    sandbox_process.clear()
    configure(MINGUS_TWILIO_BASE_URL=sandbox_process.url, MINGUS_RESEND_BASE_URL=sandbox_process.url)
    return sandbox_process


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set environment variables and let every cached reader of them read again."""
    from core.settings import settings
    from delivery import catalog, health, providers, retry_budget

    def forget() -> None:
        health.forget()
        retry_budget.forget()
        settings.cache_clear()
        catalog.catalog.cache_clear()
        providers.provider.cache_clear()

    def set_all(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        forget()

    forget()
    yield set_all
    monkeypatch.undo()
    forget()


@pytest.fixture
def people(database: str) -> Callable[..., None]:
    """Write people down, committed."""
    from core.database import transaction
    from delivery.people import add_people

    def add(*given: NewPerson) -> None:
        with transaction() as connection:
            add_people(connection, given)

    return add
