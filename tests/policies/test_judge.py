"""The policies together: their order, the evidence that stays, and the one rule above all: no consent, no send."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.vocabulary import Channel, ConsentLevel, Purpose
from delivery.catalog import catalog
from delivery.policies import ORDER, RULES_VERSION, judge
from delivery.policies.base import VerdictKind
from delivery.policies.reasons import Reason
from tests.policies.people import (
    EMAIL,
    NOON,
    SMS,
    consent,
    consent_id,
    facts,
    message,
    person,
    tokens_for_all,
    wish,
)


def test_mayas_reminder_is_allowed_and_the_evidence_says_why():
    (verdict,) = judge([message("maya")], facts(), NOON, tokens_for_all)
    assert verdict.kind is VerdictKind.ALLOW
    assert verdict.evidence["rules"] == RULES_VERSION
    assert verdict.evidence["consent_id"] == consent_id("maya")
    assert verdict.evidence["zone_basis"] == "profile"


def test_policies_stand_in_the_order_of_the_architecture():
    assert [name for name, _ in ORDER] == [
        "expiry", "consent", "suppression", "destination", "preferences", "digest", "quiet_hours", "frequency",
        "budget",
    ]  # fmt: skip


OBJECTIONS = [  # what is wrong with Omar's message, most important first
    (Reason.EXPIRED, "expiry"),
    (Reason.NO_CONSENT, "consent"),
    (Reason.SUPPRESSED_COMPLAINT, "suppression"),
    (Reason.CHANNEL_DISABLED, "preferences"),
    (Reason.QUIET_HOURS, "quiet_hours"),
    (Reason.DAILY_LIMIT, "frequency"),
    (Reason.CHANNEL_FORBIDDEN, "rate_limit"),
]


@pytest.mark.parametrize("mended", range(len(OBJECTIONS)))
def test_the_first_objection_decides_and_the_next_one_shows_when_it_is_mended(mended):
    from dataclasses import replace

    night = NOON + timedelta(hours=14)
    now = night if mended <= 4 else NOON
    row = replace(catalog()["payment_reminder"], limits={SMS: 0})
    omar = message("omar", type=row, expires_at=now + (timedelta(days=3) if mended > 0 else timedelta(0)))
    known = facts(
        person("omar"),
        consents=None if mended > 1 else {},
        suppressed={} if mended > 2 else {(SMS, b"omar"): "complaint"},
        preferences={} if mended > 3 else wish(omar, enabled=False),
        recent_sends={}
        if mended > 5
        else {("omar", row.name): [now - timedelta(hours=1)] * row.user_daily_limit},
    )
    (verdict,) = judge([omar], known, now, tokens_for_all)
    assert (verdict.reason, verdict.evidence["policy"]) == OBJECTIONS[mended]
    assert verdict.evidence["rules"] == RULES_VERSION


def test_tokens_are_spent_only_on_what_everybody_else_allows():
    asked = []

    def spend(requests):
        asked.extend(requests)
        return tokens_for_all(requests)

    allowed, refused = message("maya"), message("omar")
    known = facts(person("maya"), person("omar"), suppressed={(SMS, b"omar"): "hard_bounce"})
    verdicts = judge([refused, allowed], known, NOON, spend)
    assert [one.kind for one in verdicts] == [VerdictKind.SKIP, VerdictKind.ALLOW]
    assert [one.holder for one in asked] == [allowed.notification_id.hex]


def test_nothing_is_asked_for_an_empty_batch():
    assert judge([], facts(), NOON, tokens_for_all) == []


def test_every_reason_has_a_sentence():
    for reason in Reason:
        assert reason.sentence.endswith("."), reason
        assert reason == reason.lower()


levels = st.sampled_from(ConsentLevel)
states = st.none() | st.builds(
    lambda granted, level, confirmed: consent(granted=granted, level=level, confirmed=confirmed),
    st.booleans(), levels, st.booleans(),
)  # fmt: skip


@given(
    type_name=st.sampled_from(list(catalog())),
    channel=st.sampled_from([SMS, EMAIL]),
    state=states,
    other=states,
    hour=st.integers(0, 24 * 7),
)
def test_judge_never_sends_without_the_consent_that_the_law_asks_for(type_name, channel, state, other, hour):
    """`other` is a consent for another purpose or channel: it must not help."""
    now = NOON + timedelta(hours=hour)
    row = catalog()[type_name]
    consents = {
        ("maya", c, p): other for c in Channel for p in Purpose if (c, p) != (channel, row.purpose) and other
    }
    if state is not None:
        consents[("maya", channel, row.purpose)] = state
    one = message("maya", type_name, channel, created_at=now)
    (verdict,) = judge([one], facts(consents=consents), now, tokens_for_all)
    if verdict.kind is not VerdictKind.ALLOW:
        return
    assert state is None or state.granted
    if channel is SMS:
        assert state is not None
        assert state.level is not ConsentLevel.NONE
        if row.consent_level is ConsentLevel.EXPRESS_WRITTEN:
            assert state.level is ConsentLevel.EXPRESS_WRITTEN
    elif row.lawful_basis == "consent":
        assert state is not None
        assert state.confirmed or row.purpose is not Purpose.MARKETING
