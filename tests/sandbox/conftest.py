"""A really started sandbox, a web server that catches its callbacks, and the vendors' own SDKs pointed at it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import resend
import urllib3
from resend.http_client_requests import RequestsClient
from twilio.rest import Client

from sandbox.settings import (
    DEFAULT_ACCOUNT_SID,
    DEFAULT_API_KEY,
    DEFAULT_AUTH_TOKEN,
    DEFAULT_WEBHOOK_SECRET,
)

ROOT = Path(__file__).parents[2]
SENDER = "+15005550006"
MARIA = "+15125550101"


def wait_for(found: Callable[[], Any], seconds: float = 5.0) -> Any:
    """What `found` returns as soon as it is truthy; fails the test after so long."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


@dataclass
class Sandbox:
    """A running sandbox: its address, its process, and its control API."""

    url: str
    process: subprocess.Popen[str]
    data: Path
    http: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, timeout=10.0)
    )

    @property
    def pid(self) -> int:
        return self.process.pid

    def call(self, method: str, path: str, document: object = None, **query: str) -> Any:
        """A control request; the JSON of its answer, with the HTTP status under `_status`."""
        body = None if document is None else json.dumps(document)
        response = self.http.request(method, self.url + path, body=body, fields=query or None)
        answer = json.loads(response.data or "{}")
        return answer | {"_status": response.status}

    def fault(self, provider: str, kind: str, **fields: Any) -> Any:
        answer = self.call("POST", "/_sandbox/faults", {"provider": provider, "kind": kind, **fields})
        assert answer["_status"] == 201, answer
        return answer

    def messages(self, **query: str) -> list[dict[str, Any]]:
        return self.call("GET", "/_sandbox/messages", **query)["messages"]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)


@contextmanager
def start_sandbox(data: Path, **settings: str) -> Iterator[Sandbox]:
    """Start `python -m sandbox` on a free port with SANDBOX_* settings; ended at the end of the block."""
    environment = {f"SANDBOX_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0", "--data", str(data)],
        cwd=ROOT,
        env={**os.environ, "SANDBOX_CALLBACK_DELAY_MS": "20", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("sandbox: http"), line
        yield Sandbox(line.split()[1], process, data)
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()


@dataclass(frozen=True)
class Caught:
    """One request that the webhook catcher received."""

    path: str
    headers: dict[str, str]
    body: bytes


class Catcher:
    """A web server that keeps what is posted to it; answers 204, or what `answers` says next."""

    def __init__(self) -> None:
        self.caught: list[Caught] = []
        self.answers: list[tuple[int, bytes]] = []
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                catcher.caught.append(Caught(self.path, dict(self.headers), body))
                status, answer = catcher.answers.pop(0) if catcher.answers else (200, b"")
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def at(self, path: str) -> list[Caught]:
        return [caught for caught in self.caught if caught.path == path]

    def wait(self, path: str, count: int) -> list[Caught]:
        """The requests to a path once there are so many."""
        wait_for(lambda: len(self.at(path)) >= count)
        return self.at(path)


@pytest.fixture(scope="session")
def catcher_server() -> Iterator[Catcher]:
    catcher = Catcher()
    yield catcher
    catcher.server.shutdown()
    catcher.server.server_close()


@pytest.fixture(scope="session")
def shared_sandbox(catcher_server: Catcher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    webhooks = {
        "resend_webhook_url": f"{catcher_server.url}/resend",
        "twilio_inbound_url": f"{catcher_server.url}/inbound",
    }
    with start_sandbox(tmp_path_factory.mktemp("sandbox"), **webhooks) as sandbox:
        yield sandbox


@pytest.fixture
def catcher(catcher_server: Catcher) -> Catcher:
    catcher_server.answers.clear()
    catcher_server.caught.clear()
    return catcher_server


@pytest.fixture
def sandbox(shared_sandbox: Sandbox, catcher: Catcher) -> Sandbox:
    """The running sandbox, without messages or faults."""
    shared_sandbox.call("DELETE", "/_sandbox/faults")
    shared_sandbox.call("DELETE", "/_sandbox/messages")
    catcher.caught.clear()
    return shared_sandbox


def twilio_client(sandbox: Sandbox, token: str = DEFAULT_AUTH_TOKEN) -> Client:
    client = Client(DEFAULT_ACCOUNT_SID, token)
    client.api.base_url = sandbox.url
    return client


@pytest.fixture
def twilio(sandbox: Sandbox) -> Client:
    """Twilio's own client."""
    return twilio_client(sandbox)


@pytest.fixture
def mailer(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Resend's own SDK."""
    monkeypatch.setattr(resend, "api_url", sandbox.url)
    monkeypatch.setattr(resend, "api_key", DEFAULT_API_KEY)
    # the SDK as installed, whatever the product has plugged into it in this process
    monkeypatch.setattr(resend, "default_http_client", RequestsClient())
    return resend


@pytest.fixture
def webhook_secret() -> str:
    return DEFAULT_WEBHOOK_SECRET


def letter(to: str | list[str] = "delivered@resend.dev", **fields: Any) -> dict[str, Any]:
    """An email as the SDK takes it."""
    return {
        "from": "Mingus <hello@mingus.test>",
        "to": to if isinstance(to, list) else [to],
        "subject": "Your month",
        "html": '<p>Hello <a href="https://mingus.test/report?m=1">report</a></p>',
        "text": "Hello",
        **fields,
    }
