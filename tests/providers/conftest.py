"""Fixtures of the provider tests: raw servers, the sandbox, and fake credentials for boto3."""

from collections.abc import Iterator
from typing import Any

import pytest
import resend

from tests.providers.cases import CASES, Case
from tests.providers.people import ACCOUNT, API_KEY, TOKEN, WEBHOOK_SECRET
from tests.providers.wire_server import WireServer, serving
from tests.sandbox.conftest import Sandbox, start_sandbox


@pytest.fixture(autouse=True)
def _aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake keys, so that botocore asks no metadata service."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDCANARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws-secret-canary")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True)
def _resend_globals() -> Iterator[None]:
    """The Resend SDK's module globals, as they were."""
    before = (resend.api_key, resend.api_url, resend.default_http_client)
    yield
    resend.api_key, resend.api_url, resend.default_http_client = before


@pytest.fixture
def server() -> Iterator[WireServer]:
    with serving() as running:
        yield running


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    """Each registered provider in turn."""
    return CASES[request.param]


@pytest.fixture
def carrier(case: Case, server: WireServer) -> Any:
    """The provider of the case, talking to the raw server."""
    server.default = case.accepted
    return case.provider(server.url)


@pytest.fixture(scope="session")
def started_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox in a process of its own, believing in the credentials of these tests."""
    given = {
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": TOKEN,
        "resend_api_key": API_KEY,
        "resend_webhook_secret": WEBHOOK_SECRET,
    }
    with start_sandbox(tmp_path_factory.mktemp("sandbox"), **given) as running:
        yield running
        running.http.clear()


@pytest.fixture
def sandbox(started_sandbox: Sandbox) -> Sandbox:
    """The sandbox without messages or faults."""
    started_sandbox.call("DELETE", "/_sandbox/faults")
    started_sandbox.call("DELETE", "/_sandbox/messages")
    return started_sandbox
