"""Frequency: what is over a cap waits for its own slot, and nothing is dropped in silence."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.vocabulary import Category
from delivery.catalog import message_type
from delivery.policies import frequency
from delivery.policies.base import VerdictKind
from delivery.policies.reasons import Reason
from tests.policies.people import EMAIL, NOON, SMS, facts, message, person, wish

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_the_second_checkin_of_a_day_waits_until_a_day_after_the_first():
    known = facts(recent_sends={("maya", "weekly_checkin"): [NOON - 20 * HOUR]})
    (verdict,) = frequency.check([message("maya", "weekly_checkin")], known, NOON)
    assert (verdict.kind, verdict.reason, verdict.until) == (
        VerdictKind.DEFER,
        Reason.DAILY_LIMIT,
        NOON + 4 * HOUR,
    )


def test_within_a_batch_each_message_counts_for_the_next_and_each_gets_its_own_slot():
    known = facts(recent_sends={("maya", "milestone_reminder"): [NOON - 10 * HOUR]})
    batch = [message("maya", "milestone_reminder", EMAIL, expires_at=NOON + 5 * DAY) for _ in range(4)]
    verdicts = frequency.check(batch, known, NOON)
    assert [one.until for one in verdicts] == [None, NOON + 14 * HOUR, NOON + DAY, NOON + 38 * HOUR]


def test_other_peoples_messages_do_not_count():
    known = facts(person("maya"), person("omar"), recent_sends={("omar", "weekly_checkin"): [NOON]})
    batch = [message("maya", "weekly_checkin"), message("omar", "weekly_checkin")]
    assert [one.reason for one in frequency.check(batch, known, NOON)] == ["", Reason.DAILY_LIMIT]


def test_a_slot_after_expiry_is_a_skip_that_says_so():
    known = facts(recent_sends={("maya", "weekly_checkin"): [NOON - HOUR]})
    one = message("maya", "weekly_checkin", expires_at=NOON + 10 * HOUR)
    (verdict,) = frequency.check([one], known, NOON)
    assert (verdict.kind, verdict.reason) == (VerdictKind.SKIP, Reason.CAPPED_PAST_EXPIRY)
    assert verdict.evidence == {"cap": "daily_limit", "count": 1}


def test_what_a_skipped_message_would_have_taken_is_left_to_the_next():
    known = facts(recent_sends={("maya", "weekly_checkin"): [NOON - 20 * HOUR]})
    short = message("maya", "weekly_checkin", expires_at=NOON + HOUR)
    (_, verdict) = frequency.check([short, message("maya", "weekly_checkin")], known, NOON)
    assert verdict.until == NOON + 4 * HOUR


def test_critical_alerts_are_never_too_many():
    known = facts(recent_sends={("maya", "critical_financial"): [NOON] * 500})
    verdicts = frequency.check([message("maya", "critical_financial")] * 50, known, NOON)
    assert {one.kind for one in verdicts} == {VerdictKind.ALLOW}


def test_mayas_weekly_cap_counts_all_of_a_category():
    one = message("maya", "milestone_reminder", EMAIL, expires_at=NOON + 7 * DAY)
    sent = [NOON - 6 * DAY, NOON - 2 * DAY]
    known = facts(preferences=wish(one, weekly_cap=2), recent_in_category={("maya", Category.WELLNESS): sent})
    (verdict,) = frequency.check([one], known, NOON)
    assert (verdict.reason, verdict.until) == (Reason.WEEKLY_CAP, NOON + DAY)


@pytest.mark.parametrize("state", ["FL", "MD", "OK"])
def test_three_texts_a_day_on_one_subject_in_some_states(state):
    omar = person("omar", state=state)
    sent = [NOON - 12 * HOUR, NOON - 6 * HOUR, NOON - 5 * HOUR]
    known = facts(omar, recent_sends={("omar", "payment_reminder"): sent})
    text, mail = message("omar", "payment_reminder", SMS), message("omar", "payment_reminder", EMAIL)
    by_text, by_mail = frequency.check([text, mail], known, NOON)
    assert (by_text.reason, by_text.until) == (Reason.SUBJECT_CAP, NOON + 12 * HOUR)
    assert by_mail.kind is VerdictKind.ALLOW


def test_the_subject_cap_joins_the_types_of_a_category_and_other_states_have_none():
    sent = {
        ("omar", "weekly_checkin"): [NOON - 23 * HOUR],
        ("omar", "milestone_reminder"): [NOON - 2 * HOUR],
    }
    one = message("omar", "milestone_reminder", SMS)
    rows = [replace(message_type("milestone_reminder"), user_daily_limit=10)] * 2
    batch = [replace(one, type=row) for row in rows]
    florida, georgia = person("omar", state="FL"), person("omar", state="GA")
    assert [v.until for v in frequency.check(batch, facts(florida, recent_sends=sent), NOON)] == [
        None, NOON + HOUR,
    ]  # fmt: skip
    assert [v.until for v in frequency.check(batch, facts(georgia, recent_sends=sent), NOON)] == [None, None]


def test_a_cap_of_zero_means_never():
    row = replace(message_type("weekly_checkin"), user_daily_limit=0)
    (verdict,) = frequency.check([message("maya", type=row)], facts(), NOON)
    assert verdict.reason == Reason.CAP_IS_ZERO
