"""Triage: every code that delivery knows means the same here, and clusters name the cause at the right breadth."""

import pandas as pd
import pytest

from analytics.failure_classes import ACTS, TABLE_VERSION, TEXTS, Act
from analytics.failures import act_on, clusters, normalise, triage
from analytics.frames import DEAD_LETTERS, InvalidFrame
from core.errors import InvalidRequest
from core.vocabulary import ErrorClass
from delivery.providers import aws_codes, resend_codes, twilio_codes


def letters(
    number,
    *,
    provider="twilio",
    error_class="transient_network",
    code="30003",
    domain="T-Mobile",
    template="weekly",
):
    return pd.DataFrame(
        [[provider, error_class, code, domain, template]] * number, columns=list(DEAD_LETTERS)
    )


def mixed(each):
    return pd.concat(
        [
            letters(each, domain=domain, template=template)
            for domain in ("T-Mobile", "Verizon", "AT&T")
            for template in ("weekly", "monthly")
        ]
    )


@pytest.mark.parametrize(
    ("provider", "codes"),
    [("twilio", twilio_codes), ("resend", resend_codes), ("ses", aws_codes), ("sns", aws_codes)],
)
def test_every_code_that_delivery_knows_means_the_same_here(provider, codes):
    for code, outcome in codes.CODES.items():
        assert normalise(provider, code) == outcome.error_class, code


@pytest.mark.parametrize(
    ("provider", "code", "text", "error_class"),
    [
        ("Twilio", "21610", "", ErrorClass.PERMANENT_CONSENT),
        ("resend", "503", "", ErrorClass.TRANSIENT_NETWORK),
        ("resend", "", "550 5.1.1 no such user here", ErrorClass.PERMANENT_ADDRESS),
        ("resend", "", "452 4.2.2 mailbox full", ErrorClass.CAPACITY),
        ("ses", "", "554 5.7.1 message blocked by spam filter", ErrorClass.CONTENT_POLICY),
        ("ses", "", "421 4.4.2 connection timed out", ErrorClass.TRANSIENT_NETWORK),
        ("twilio", "", "The recipient has opted out", ErrorClass.PERMANENT_CONSENT),
        ("unheard-of", "E1", "???", ErrorClass.UNKNOWN),
        ("twilio", "99999", "", ErrorClass.UNKNOWN),
    ],
)
def test_codes_come_first_and_words_of_the_text_second(provider, code, text, error_class):
    assert normalise(provider, code, text) is error_class


def test_every_class_has_an_act():
    assert set(ACTS) == set(ErrorClass)
    assert act_on(ErrorClass.PERMANENT_ADDRESS) is Act.SUPPRESS_AND_NEXT_CHANNEL
    assert act_on(ErrorClass.UNKNOWN) is Act.RETRY_ONCE
    assert TABLE_VERSION >= 1
    assert {error_class for _, error_class in TEXTS} <= set(ErrorClass)


def test_triage_adds_class_and_act_to_each_failure():
    failures = pd.DataFrame(
        {"provider": ["twilio", "resend"], "error_code": ["30007", None], "text": ["", "rate limit"]}
    )
    found = triage(failures.astype({"error_code": "str"}))
    assert found["error_class"].to_list() == ["content_policy", "capacity"]
    assert found["act"].to_list() == ["quarantine_template_and_sender", "back_off"]
    assert len(triage(failures.iloc[:0])) == 0
    with pytest.raises(InvalidFrame, match="text: the frame has no such column"):
        triage(failures.drop(columns="text"))


def test_one_carrier_that_filters_one_template_is_named_with_its_share():
    dead = pd.concat([mixed(6), letters(60, error_class="content_policy", code="30007", template="monthly")])
    found = clusters(dead, mixed(6 * 28), windows=28)
    assert len(found) == 1
    assert found[0].keys == {
        "provider": "twilio", "error_class": "content_policy", "error_code": "30007",
        "domain_or_carrier": "T-Mobile", "template": "monthly",
    }  # fmt: skip
    assert found[0].share == pytest.approx(60 / 96)
    assert "explains 62 % of today's failures (60, 0 expected)." in found[0].sentence()


def test_a_provider_that_is_down_is_one_cause_and_not_six():
    found = clusters(mixed(60), mixed(6 * 28), windows=28)
    assert found[0].keys.keys() == {"provider", "error_class", "error_code"}
    assert found[0].share == 1.0
    assert len(found) == 1


def test_two_causes_are_named_one_after_the_other():
    dead = pd.concat(
        [
            mixed(6),
            letters(80, domain="Verizon", code="30023"),
            letters(40, provider="resend", template="tips"),
        ]
    )
    found = clusters(dead, mixed(6 * 28), windows=28)
    assert [each.count for each in found] == [80, 40]
    assert found[0].keys["domain_or_carrier"] == "Verizon"
    assert found[1].keys["template"] == "tips"


def test_an_ordinary_day_has_no_clusters_and_an_empty_one_neither():
    assert clusters(mixed(6), mixed(6 * 28), windows=28) == []
    assert clusters(letters(0), mixed(6), windows=1) == []


def test_without_a_baseline_the_biggest_causes_are_named():
    found = clusters(pd.concat([mixed(1), letters(20, domain=None)]).astype("str"))
    assert found[0].keys["domain_or_carrier"] == "none"
    assert "explains 77 % of today's failures (20)." in found[0].sentence()


def test_a_baseline_needs_its_length():
    with pytest.raises(InvalidRequest, match="windows: say how many"):
        clusters(mixed(1), mixed(1))
