"""The registry: what is configured, in which order, and that nothing heavy is loaded before it is needed."""

import os
import subprocess
import sys

import pytest

from core.vocabulary import Channel
from delivery.providers import REGISTRY, configured, provider
from tests.providers.people import given_settings
from web.webhooks import PATHS

SDKS = ("twilio", "resend", "boto3", "botocore", "requests")


def test_the_first_carrier_of_each_channel_is_the_specifications_and_the_second_only_where_switched_on():
    assert configured(given_settings()) == {Channel.SMS: ("twilio",), Channel.EMAIL: ("resend",)}
    assert configured(given_settings(sns_enabled=True, ses_enabled=True)) == {
        Channel.SMS: ("twilio", "sns"),
        Channel.EMAIL: ("resend", "ses"),
    }


def test_a_provider_without_credentials_is_not_tried():
    bare = given_settings(twilio_account_sid="", resend_api_key="", sns_enabled=True)

    assert configured(bare) == {Channel.SMS: ("sns",), Channel.EMAIL: ()}


def test_every_configured_name_is_registered():
    everybody = configured(given_settings(sns_enabled=True, ses_enabled=True))

    assert {name for names in everybody.values() for name in names} == set(REGISTRY)


def test_a_name_that_nobody_registered_is_a_key_error():
    with pytest.raises(KeyError):
        provider("carrier-pigeon")


def test_one_process_has_one_provider_and_a_forked_one_its_own():
    provider.cache_clear()
    ours = provider("twilio")
    assert provider("twilio") is ours

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"same" if provider("twilio") is ours else b"own")
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        assert said.read() == b"own"
    provider.cache_clear()


def test_importing_the_registry_loads_no_sdk():
    code = f"import sys, delivery.providers; print([name for name in {SDKS} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_every_provider_has_a_place_where_its_callbacks_come():
    assert set(PATHS.values()) == set(REGISTRY)
