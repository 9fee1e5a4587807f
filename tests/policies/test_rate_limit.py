"""The rate limit as a policy: real tokens from real Redis, forbidden channels, and Redis away."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from core.settings import settings
from delivery.catalog import message_type
from delivery.policies import judge
from delivery.policies.base import VerdictKind
from delivery.policies.reasons import Reason
from delivery.throttle import spend
from tests.policies.people import EMAIL, NOON, SMS, facts, message, person

ALLOW, DEFER, SKIP = VerdictKind.ALLOW, VerdictKind.DEFER, VerdictKind.SKIP


def many(count, type_name, channel=SMS, **about):
    people = [person(f"person {n}") for n in range(count)]
    return [message(one.user_id, type_name, channel, **about) for one in people], facts(*people)


@pytest.mark.parametrize(
    ("type_name", "channel", "limit"),
    [("critical_financial", SMS, 10), ("critical_financial", EMAIL, 5), ("payment_reminder", SMS, 20)],
)
def test_the_catalogs_limit_goes_and_each_of_the_rest_gets_its_own_instant(redis, type_name, channel, limit):
    batch, known = many(limit + 6, type_name, channel)
    verdicts = judge(batch, known, NOON, spend)
    assert [one.kind for one in verdicts] == [ALLOW] * limit + [DEFER] * 6
    until = [one.until for one in verdicts[limit:]]
    assert NOON + timedelta(seconds=59) < until[0] <= NOON + timedelta(seconds=60)
    assert all(b - a >= timedelta(seconds=60) / limit for a, b in pairwise(until))
    assert {one.reason for one in verdicts[limit:]} == {Reason.RATE_LIMITED}


def test_types_and_channels_have_limits_of_their_own(redis):
    for type_name, channel in (
        ("critical_financial", SMS),
        ("critical_financial", EMAIL),
        ("payment_reminder", EMAIL),
    ):
        batch, known = many(5, type_name, channel)
        assert {one.kind for one in judge(batch, known, NOON, spend)} == {ALLOW}


def test_a_limit_of_zero_or_a_channel_that_the_type_does_not_have_is_forbidden(redis):
    batch, known = many(2, "monthly_report", SMS)
    assert {one.reason for one in judge(batch, known, NOON, spend)} == {Reason.CHANNEL_FORBIDDEN}
    assert redis.dbsize() == 0


def test_who_can_get_no_token_in_its_lifetime_is_skipped_so_that_another_channel_can_be_tried(redis):
    batch, known = many(12, "critical_financial", expires_at=NOON + timedelta(seconds=63))
    verdicts = judge(batch, known, NOON, spend)
    assert [one.kind for one in verdicts] == [ALLOW] * 10 + [DEFER, SKIP]
    assert verdicts[-1].reason == Reason.NO_TOKEN_BEFORE_EXPIRY


def test_bulk_never_takes_the_critical_share_of_a_provider(redis):
    """Sixty segments a minute: bulk may have 48 of them, an alert finds room whatever the bulk."""
    row = replace(message_type("weekly_checkin"), limits={SMS: 10_000})
    carried = {"provider": "twilio", "provider_units_per_minute": 60}
    batch, known = many(100, "weekly_checkin", type=row, units=2, **carried)
    verdicts = judge(batch, known, NOON, spend)
    assert [one.kind for one in verdicts] == [ALLOW] * 24 + [DEFER] * 76
    alerts, known = many(6, "critical_financial", units=2, **carried)
    assert {one.kind for one in judge(alerts, known, NOON, spend)} == {ALLOW}


def test_redis_away_critical_goes_on_and_the_rest_waits_half_a_minute_and_a_bit(redis, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    settings.cache_clear()
    try:
        batch = [
            message("maya", "critical_financial"),
            message("maya", "payment_reminder", jitter=0.0),
            message("maya", "payment_reminder", jitter=0.5),
        ]
        alert, reminder, another = judge(batch, facts(), NOON, spend)
    finally:
        settings.cache_clear()
    assert (alert.kind, alert.evidence["limiter"]) == (ALLOW, "away")
    assert (reminder.reason, reminder.until) == (Reason.LIMITER_AWAY, NOON + timedelta(seconds=30))
    assert another.until == NOON + timedelta(seconds=45)
    assert reminder.evidence["limiter"] == "away"
