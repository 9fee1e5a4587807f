"""What the flow reconcile-providers tells people."""

import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.clock import utc_now
from delivery import Request, accept, deliver
from delivery.catalog import catalog
from delivery.reconciliation import Finding, Reconciliation
from flows.reconcile_providers import reconcile_providers, summary, verdict
from flows.window import Window
from tests.delivery.stage import person

END = datetime(2026, 11, 24, 4, 20, tzinfo=UTC)
WINDOW = Window(END.replace(day=23), END)
FINDING = Finding("SM1", "accepted", "", END)


def found(**given):
    return Reconciliation(provider="twilio", start=WINDOW.start, end=WINDOW.end, **given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"ours": 1200, "theirs": 1200}, "**twilio**: 1,200 messages, both lists agree. No price changed."),
        (
            {"ours": 1200, "theirs": 1200, "repriced": 3, "correction": Decimal("-0.0015")},
            "**twilio**: 1,200 messages, both lists agree. 3 prices settled, -0.001500 USD.",
        ),
        (
            {"ours": 1000, "theirs": 999, "lost": [FINDING]},
            "**twilio**: 1,000 messages here, 999 there; 1 lost, 0 extra, 0 different (0.10%). No price changed.",
        ),
        (
            {"ours": 100, "theirs": 99, "lost": [FINDING]},
            "**twilio**: 100 messages here, 99 there; 1 lost, 0 extra, 0 different (1.00%, an alarm). No price changed.",
        ),
        ({"readable": False}, "**twilio** keeps no list that can be read: its receipts are all we have."),
    ],
)
def test_the_verdict_says_it_in_a_sentence(given, sentence):
    assert verdict(WINDOW, [found(**given)]).splitlines()[-1] == f"- {sentence}"


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"ours": 200, "theirs": 200}, "agrees"),
        ({"ours": 200, "theirs": 199, "lost": [FINDING]}, "agrees"),  # half a percent is the bound
        ({"ours": 199, "theirs": 198, "lost": [FINDING]}, "differs"),
        ({"readable": False, "lost": [FINDING]}, "can't be read"),
    ],
)
def test_more_than_half_a_percent_is_a_difference(given, word):
    assert summary(found(**given))["list"] == word


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server", "redis")
def test_a_run_compares_every_configured_provider_and_books_prices(people, provider, configure):
    configure(MINGUS_SMS_PRICE="0.005")
    people(person("Maya", 101))
    for name in ("critical_financial", "monthly_report"):
        request = Request(user_id="user_maya", message_type=name, payload=dict(catalog()[name].example))
        deliver([accept(request).notification_id])
    time.sleep(2)  # the sandbox delivers, and Twilio names its price
    found = reconcile_providers(end=utc_now())
    assert {name: (each["ours"], each["theirs"]) for name, each in found.items()} == {
        "twilio": (1, 1), "resend": (1, 1),
    }  # fmt: skip
    assert (found["twilio"]["repriced"], found["twilio"]["correction_usd"]) == (1, "0.002500")
