"""The same sends against the vendors themselves, with their test credentials and test addresses; free of charge.

Runs only where the variables are in the environment, e.g.
    VERIFY_TWILIO_ACCOUNT_SID=AC… VERIFY_TWILIO_AUTH_TOKEN=… pytest -m verification tests/providers
A table of this file that fails is news: the vendor has changed, and so must the sandbox and the code tables.
"""

import os
from typing import Any
from uuid import uuid4

import pytest
import pytest_socket

from core.vocabulary import OutcomeKind
from delivery.providers.twilio_codes import CODES
from tests.providers.people import given_settings, mail, sms

pytestmark = pytest.mark.verification

ACCEPTED, REFUSED = OutcomeKind.ACCEPTED, OutcomeKind.REFUSED_FOR_GOOD


def variables(*names: str) -> list[str]:
    """The values of the variables; skips the test when one is missing."""
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    return [os.environ[name] for name in names]


@pytest.fixture(autouse=True)
def _open_network(_loopback_only: None) -> None:
    """These tests, and no others, leave the machine."""
    pytest_socket._remove_restrictions()


@pytest.fixture
def twilio() -> Any:
    sid, token = variables("VERIFY_TWILIO_ACCOUNT_SID", "VERIFY_TWILIO_AUTH_TOKEN")
    from delivery.providers.twilio import TwilioProvider

    return TwilioProvider(given_settings(
        twilio_account_sid=sid, twilio_auth_token=token, twilio_base_url=None,
        provider_connect_timeout=5, provider_read_timeout=30,
    ))  # fmt: skip


@pytest.fixture
def resend() -> Any:
    key, sender = variables("VERIFY_RESEND_API_KEY", "VERIFY_RESEND_FROM")
    from delivery.providers.resend import ResendProvider

    return ResendProvider(given_settings(
        resend_api_key=key, resend_from=sender, resend_base_url="https://api.resend.com",
        provider_connect_timeout=5, provider_read_timeout=30,
    ))  # fmt: skip


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Any:
    key, secret, sender = variables(
        "VERIFY_AWS_ACCESS_KEY_ID", "VERIFY_AWS_SECRET_ACCESS_KEY", "VERIFY_SES_FROM"
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    from delivery.providers.ses import SesProvider

    return SesProvider(given_settings(
        ses_from=sender, aws_endpoint_url=None, aws_region=os.environ.get("VERIFY_AWS_REGION", "us-east-1"),
        provider_connect_timeout=5, provider_read_timeout=30,
    ))  # fmt: skip


# Magic numbers of twilio.com/docs/iam/test-credentials: nothing is sent and nothing is charged.
@pytest.mark.parametrize(("number", "code"), [
    ("+15005550001", "21211"),
    ("+15005550002", "21612"),
    ("+15005550003", "21408"),
    ("+15005550004", "21610"),
    ("+15005550009", "21614"),
])  # fmt: skip
def test_twilio_refuses_its_magic_numbers_as_our_table_says(twilio: Any, number: str, code: str):
    outcome = twilio.transmit([sms(number, callback_root="")], key="")[0]

    assert (outcome.kind, outcome.code) == (CODES[code].kind, code)


def test_twilio_takes_a_good_number(twilio: Any):
    outcome = twilio.transmit([sms("+15005550010", callback_root="")], key="")[0]

    assert (outcome.kind, outcome.reference[:2]) == (ACCEPTED, "SM")


def test_twilio_calls_a_wrong_token_our_misconfiguration():
    (sid,) = variables("VERIFY_TWILIO_ACCOUNT_SID")
    from delivery.providers.twilio import TwilioProvider

    wrong = TwilioProvider(
        given_settings(twilio_account_sid=sid, twilio_auth_token="0" * 32, twilio_base_url=None)
    )
    outcome = wrong.transmit([sms("+15005550010", callback_root="")], key="")[0]

    assert (outcome.kind, outcome.code, outcome.misconfigured) == (REFUSED, "20003", True)


def test_resend_takes_its_test_address_once_per_key(resend: Any):
    key, maya = f"verification-{uuid4()}", mail("delivered@resend.dev")
    first = resend.transmit([maya], key=key)[0]
    second = resend.transmit([maya], key=key)[0]
    other = resend.transmit([mail("bounced@resend.dev")], key=key)[0]

    assert (first.kind, second) == (ACCEPTED, first)
    assert (other.kind, other.code) == (OutcomeKind.UNKNOWN, "invalid_idempotent_request")
    assert resend.pace is not None


def test_resend_tells_the_bad_member_of_a_batch(resend: Any):
    outcomes = resend.transmit(
        [mail("delivered@resend.dev"), mail("not an address")], key=f"verification-{uuid4()}"
    )

    assert [outcome.kind for outcome in outcomes] == [ACCEPTED, REFUSED]


def test_ses_takes_its_simulators_address(ses: Any):
    assert ses.transmit([mail("success@simulator.amazonses.com")], key="")[0].kind is ACCEPTED
