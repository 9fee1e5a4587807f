"""Fixtures of the provider tests: raw servers, the sandbox, and fake credentials for boto3."""

from collections.abc import Iterator
from typing import Any

import pytest
import resend

from tests.providers.cases import CASES, Case
from tests.providers.wire_server import WireServer, serving


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
