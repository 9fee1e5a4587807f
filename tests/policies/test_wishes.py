"""Expiry, suppression and preferences: tables of what is not wanted, not possible, or wanted later."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from delivery.policies import expiry, preferences, suppression
from delivery.policies.base import VerdictKind
from delivery.policies.reasons import Reason
from tests.policies.people import EMAIL, NOON, SMS, at, facts, message, person, wish

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("left", "reason"), [(SECOND, ""), (timedelta(0), Reason.EXPIRED), (-SECOND, Reason.EXPIRED)]
)
def test_a_message_is_worthless_from_its_expiry_on(left, reason):
    (verdict,) = expiry.check([message(expires_at=NOON + left)], facts(), NOON)
    assert verdict.reason == reason


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("hard_bounce", Reason.SUPPRESSED_HARD_BOUNCE),
        ("soft_bounce", Reason.SUPPRESSED_SOFT_BOUNCE),
        ("complaint", Reason.SUPPRESSED_COMPLAINT),
        ("opted_out", Reason.SUPPRESSED_OPTED_OUT),
        ("invalid_address", Reason.SUPPRESSED_INVALID_ADDRESS),
        ("manual", Reason.SUPPRESSED_MANUAL),
        ("a word of tomorrow", Reason.SUPPRESSED),
    ],
)
def test_a_suppressed_address_gets_nothing_not_even_alerts(why, reason):
    one = message("maya", "critical_financial", SMS)
    (verdict,) = suppression.check([one], facts(suppressed={(SMS, b"maya"): why}), NOON)
    assert (verdict.kind, verdict.reason, verdict.evidence) == (
        VerdictKind.SKIP,
        reason,
        {"suppression": why},
    )


def test_suppression_is_by_address_and_channel():
    known = facts(suppressed={(EMAIL, b"maya"): "hard_bounce", (SMS, b"omar"): "hard_bounce"})
    (verdict,) = suppression.check([message("maya", channel=SMS)], known, NOON)
    assert verdict.kind is VerdictKind.ALLOW


def test_without_an_address_there_is_no_contact_point():
    (verdict,) = suppression.check([message(address_index=None)], facts(), NOON)
    assert verdict.reason == Reason.NO_CONTACT_POINT


SOON, LATE = NOON + timedelta(hours=5), NOON + timedelta(days=30)

WISHES = [  # type, what Maya wishes, the amount, the verdict
    ("payment_reminder", {}, None, ""),
    ("payment_reminder", {"enabled": False}, None, Reason.CHANNEL_DISABLED),
    ("payment_reminder", {"minimum_amount": Decimal(100)}, Decimal("99.99"), Reason.BELOW_MINIMUM_AMOUNT),
    ("payment_reminder", {"minimum_amount": Decimal(100)}, Decimal(100), ""),
    ("payment_reminder", {"minimum_amount": Decimal(100)}, None, ""),
    ("payment_reminder", {"paused_until": SOON}, None, Reason.PAUSED),
    ("payment_reminder", {"paused_until": LATE}, None, Reason.PAUSED_PAST_EXPIRY),
    ("payment_reminder", {"paused_until": NOON}, None, ""),
    ("payment_reminder", {"preferred_from": time(18), "preferred_until": time(19)}, None, ""),
    ("weekly_checkin", {"preferred_from": time(18), "preferred_until": time(19)}, None, Reason.OUTSIDE_PREFERRED_HOURS),
    ("weekly_checkin", {"preferred_from": time(11), "preferred_until": time(13)}, None, ""),
    # critical: only the channel's own switch and threshold are honoured
    ("critical_financial", {"enabled": False}, None, Reason.CHANNEL_DISABLED),
    ("critical_financial", {"minimum_amount": Decimal(100)}, Decimal(99), Reason.BELOW_MINIMUM_AMOUNT),
    ("critical_financial", {"minimum_amount": Decimal(100), "paused_until": LATE}, None, ""),
]  # fmt: skip


@pytest.mark.parametrize(("type_name", "wishes", "amount", "reason"), WISHES)
def test_what_maya_wishes_decides(type_name, wishes, amount, reason):
    one = message("maya", type_name, SMS, amount=amount)
    (verdict,) = preferences.check([one], facts(preferences=wish(one, **wishes)), NOON)
    assert verdict.reason == reason


def test_a_pause_of_everything_counts_like_one_of_the_category_and_the_longer_one_decides():
    one = message("maya", "weekly_checkin")
    known = facts(person(paused_until=SOON), preferences=wish(one, paused_until=SOON + SECOND))
    (verdict,) = preferences.check([one], known, NOON)
    assert (verdict.reason, verdict.until) == (Reason.PAUSED, SOON + SECOND)


def test_preferred_hours_are_mayas_own_and_spread_within_them():
    jitters = [0.0, 0.5, 0.999]
    batch = [message("maya", "weekly_checkin", EMAIL, jitter=jitter) for jitter in jitters]
    known = facts(preferences=wish(batch[0], preferred_from=time(18), preferred_until=time(19)))
    until = [verdict.until for verdict in preferences.check(batch, known, NOON)]
    assert until[0] == at("2026-03-04T18:00-05:00")
    assert until[1] == at("2026-03-04T18:30-05:00")
    assert until[2] < at("2026-03-04T19:00-05:00")


def test_preferred_hours_wait_for_what_the_law_permits_too():
    """Lee likes 18 to 22 o'clock and lives in Rhode Island, where texts end at 18 and at 17 on weekends."""
    lee = person("lee", state="RI")
    one = message("lee", "weekly_checkin", SMS)
    known = facts(lee, preferences=wish(one, preferred_from=time(17), preferred_until=time(22)))
    (verdict,) = preferences.check([one], known, NOON)
    assert verdict.until == at("2026-03-04T17:00-05:00")


def test_a_wish_that_law_and_expiry_leave_no_room_for_holds_nothing_up():
    one = message("maya", "weekly_checkin", SMS)
    known = facts(preferences=wish(one, preferred_from=time(22), preferred_until=time(23)))
    (verdict,) = preferences.check([one], known, NOON)
    assert verdict.kind is VerdictKind.ALLOW
    assert verdict.evidence == {"preferred_hours": "unreachable"}


def test_preferred_hours_may_go_over_midnight():
    one = message("maya", "weekly_checkin", EMAIL)
    known = facts(preferences=wish(one, preferred_from=time(22), preferred_until=time(2)))
    (now_open,) = preferences.check([one], known, datetime(2026, 3, 5, 6, 0, tzinfo=UTC))  # 1 o'clock
    (later,) = preferences.check([one], known, datetime(2026, 3, 5, 7, 0, tzinfo=UTC))  # 2 o'clock
    assert now_open.kind is VerdictKind.ALLOW
    assert later.until == at("2026-03-05T22:00-05:00")
