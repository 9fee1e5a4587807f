"""Consent: a table of who agreed to what, and what may be sent to them."""

import pytest

from core.vocabulary import ConsentLevel, Purpose
from delivery.policies import consent as policy
from delivery.policies.base import VerdictKind
from delivery.policies.reasons import Reason
from tests.policies.people import EMAIL, NOON, SMS, consent, consent_id, facts, message, person

NONE, EXPRESS, WRITTEN = ConsentLevel.NONE, ConsentLevel.EXPRESS, ConsentLevel.EXPRESS_WRITTEN
ALLOWED = ""

CASES = [
    # texts: the level that the type needs, critical ones included
    ("critical_financial", SMS, None, Reason.NO_CONSENT),
    ("critical_financial", SMS, consent(level=EXPRESS), ALLOWED),
    ("critical_financial", SMS, consent(level=NONE), Reason.CONSENT_LEVEL_TOO_LOW),
    ("critical_financial", SMS, consent(granted=False), Reason.CONSENT_WITHDRAWN),
    ("payment_reminder", SMS, consent(level=EXPRESS), ALLOWED),
    ("weekly_checkin", SMS, consent(level=EXPRESS, confirmed=False), ALLOWED),
    ("onboarding_sequence", SMS, consent(level=EXPRESS), Reason.CONSENT_LEVEL_TOO_LOW),
    ("onboarding_sequence", SMS, consent(level=WRITTEN), ALLOWED),
    ("monthly_report", SMS, consent(level=NONE), Reason.CONSENT_LEVEL_TOO_LOW),
    # mail on the basis of contract: no consent needed, an objection honoured
    ("critical_financial", EMAIL, None, ALLOWED),
    ("critical_financial", EMAIL, consent(granted=False), Reason.CONSENT_WITHDRAWN),
    ("monthly_report", EMAIL, None, ALLOWED),
    ("payment_reminder", EMAIL, consent(level=NONE, confirmed=False), ALLOWED),
    # mail on the basis of consent: a grant, confirmed where it is marketing
    ("weekly_checkin", EMAIL, None, Reason.NO_CONSENT),
    ("weekly_checkin", EMAIL, consent(level=NONE, confirmed=False), ALLOWED),
    ("career_insights", EMAIL, consent(confirmed=False), Reason.CONSENT_NOT_CONFIRMED),
    ("career_insights", EMAIL, consent(level=NONE), ALLOWED),
    ("educational_content", EMAIL, consent(granted=False), Reason.CONSENT_WITHDRAWN),
    ("onboarding_sequence", EMAIL, None, Reason.NO_CONSENT),
]


@pytest.mark.parametrize(("type_name", "channel", "state", "reason"), CASES)
def test_what_maya_agreed_to_decides(type_name, channel, state, reason):
    one = message("maya", type_name, channel)
    given = {} if state is None else {("maya", channel, one.type.purpose): state}
    (verdict,) = policy.check([one], facts(consents=given), NOON)
    assert verdict.reason == reason
    assert (verdict.kind is VerdictKind.ALLOW) == (reason == ALLOWED)
    if state is not None:
        assert verdict.evidence["consent_id"] == consent_id("maya")


def test_consent_to_one_channel_or_purpose_is_none_to_another():
    given = {("maya", EMAIL, Purpose.ACCOUNT): consent(), ("maya", SMS, Purpose.ALERTS): consent()}
    (verdict,) = policy.check([message("maya", "payment_reminder", SMS)], facts(consents=given), NOON)
    assert verdict.reason == Reason.NO_CONSENT


def test_nobody_is_written_to_who_is_gone():
    known = facts(person("erased", erased=True))
    verdicts = policy.check([message("erased"), message("never heard of")], known, NOON)
    assert [one.reason for one in verdicts] == [Reason.USER_ERASED, Reason.UNKNOWN_USER]
