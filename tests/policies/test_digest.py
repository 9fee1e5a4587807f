"""Digests as a policy: held until a person's hour of gathering, then several go into one."""

from datetime import time, timedelta

import pytest

from delivery.catalog import catalog
from delivery.policies import digest
from delivery.policies.base import PreferenceFacts, VerdictKind
from delivery.policies.reasons import Reason
from tests.policies.people import EMAIL, NOON, SMS, facts, message, person, wish

MINUTE = timedelta(minutes=1)


def maya_wants_it(*batch, **wishes):
    return facts(preferences=wish(batch[0], digest=True, **wishes))


def gathering_of(one, known) -> object:
    (verdict,) = digest.check([one], known, NOON)
    assert verdict.reason == Reason.DIGEST
    return verdict.until


def test_a_lesson_waits_for_the_hour_of_gathering_within_half_an_hour_that_is_mayas_own():
    one = message("maya", "educational_content", EMAIL)
    until = gathering_of(one, maya_wants_it(one))
    five = NOON.replace(hour=22)  # 17 o'clock in New York
    assert five <= until < five + 30 * MINUTE
    another = message("maya", "educational_content", EMAIL)
    assert gathering_of(another, maya_wants_it(another)) == until


def test_the_gathering_is_where_the_preferred_hours_begin():
    one = message("maya", "educational_content", EMAIL)
    until = gathering_of(one, maya_wants_it(one, preferred_from=time(19), preferred_until=time(22)))
    seven = NOON.replace(day=5, hour=0)
    assert seven <= until < seven + 30 * MINUTE


def test_a_crowd_does_not_gather_at_the_full_hour():
    names = [f"p{n}" for n in range(50)]
    batch = [message(name, "educational_content", EMAIL) for name in names]
    wishes = {(one.user_id, one.type.category, EMAIL): PreferenceFacts(digest=True) for one in batch}
    known = facts(*(person(name) for name in names), preferences=wishes)
    assert len({verdict.until for verdict in digest.check(batch, known, NOON)}) == 50


def test_what_is_due_together_goes_into_one_and_the_evidence_names_it():
    batch = [message("maya", "educational_content", EMAIL) for _ in range(3)]
    known = maya_wants_it(*batch)
    due = gathering_of(batch[0], known)
    verdicts = digest.check(batch, known, due)
    assert [one.reason for one in verdicts] == [Reason.IN_DIGEST] * 3
    assert {one.evidence["digest"] for one in verdicts} == {f"digest:{batch[0].notification_id}"}


def test_what_is_alone_goes_by_itself_and_so_does_what_comes_within_the_hour():
    one = message("maya", "educational_content", EMAIL)
    known = maya_wants_it(one)
    due = gathering_of(one, known)
    for now in (due, due + 59 * MINUTE):
        assert digest.check([one], known, now)[0].kind is VerdictKind.ALLOW
    (missed,) = digest.check([one], known, due + 61 * MINUTE)
    assert missed.until == due + timedelta(days=1)


def test_people_categories_and_channels_are_gathered_apart():
    batch = [
        message("maya", "weekly_checkin", SMS), message("maya", "milestone_reminder", SMS),
        message("maya", "weekly_checkin", EMAIL), message("omar", "weekly_checkin", SMS),
        message("maya", "educational_content", EMAIL),
    ]  # fmt: skip
    wishes = {(one.user_id, one.type.category, one.channel): PreferenceFacts(digest=True) for one in batch}
    known = facts(person("maya"), person("omar"), preferences=wishes)
    due = gathering_of(batch[0], known)
    reasons = [one.reason for one in digest.check(batch, known, due)]
    assert reasons[:2] == [Reason.IN_DIGEST] * 2
    assert Reason.IN_DIGEST not in reasons[2:]


def test_more_than_fit_into_one_message_make_two():
    batch = [message("maya", "weekly_checkin", SMS) for _ in range(7)]
    known = maya_wants_it(*batch)
    verdicts = digest.check(batch, known, gathering_of(batch[0], known))
    assert [one.evidence["digest"] for one in verdicts] == [
        f"digest:{batch[0 if place < 5 else 5].notification_id}" for place in range(7)
    ]


@pytest.mark.parametrize("name", sorted(catalog()))
def test_alerts_bills_and_reports_are_never_held(name):
    row = catalog()[name]
    one = message("maya", name, row.channels[0])
    (verdict,) = digest.check([one], maya_wants_it(one), NOON)
    held = {
        "weekly_checkin",
        "milestone_reminder",
        "career_insights",
        "educational_content",
        "onboarding_sequence",
    }
    assert (verdict.reason == Reason.DIGEST) == (name in held)


def test_a_digest_is_not_gathered_again_and_what_would_be_worthless_by_then_is_not_held():
    digested = message("maya", "educational_content", EMAIL, is_digest=True)
    hasty = message("maya", "educational_content", EMAIL, expires_at=NOON + MINUTE)
    for one in (digested, hasty):
        assert digest.check([one], maya_wants_it(one), NOON)[0].kind is VerdictKind.ALLOW
