"""Budgets: how they stand, who is told when, and what waits when they are spent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.database import transaction
from core.statements import rows
from core.vocabulary import Channel
from delivery import Request, accept_many, budgets, counters, deliver, ledger
from delivery.budgets import Standing
from delivery.catalog import catalog
from delivery.ledger import Fact
from delivery.policies import judge
from delivery.policies.base import VerdictKind
from delivery.policies.reasons import Reason
from tests.delivery.conftest import person
from tests.policies.people import EMAIL, NOON, SMS, facts, message, tokens_for_all
from tests.policies.people import person as known

ALLOW, DEFER, SKIP = VerdictKind.ALLOW, VerdictKind.DEFER, VerdictKind.SKIP
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def standing(limit="1", spent="0", channel=None, name="day", until=NOON + timedelta(hours=7)):
    return Standing(
        name=name,
        channel=channel,
        begins=NOON.date(),
        until=until,
        limit=Decimal(limit),
        spent=Decimal(spent),
    )


def verdicts(batch, *standings, people=("maya",)):
    return judge(batch, facts(*(known(each) for each in people), budgets=standings), NOON, tokens_for_all)


def spend(*amounts, at=NOW, channel="sms"):
    with transaction() as connection:
        ledger.record_facts(
            connection,
            [
                Fact(at=at, kind="sent", channel=channel, provider="twilio", user_id="user_maya",
                     message_type="payment_reminder", price=Decimal(amount))
                for amount in amounts
            ],
        )  # fmt: skip


@pytest.fixture
def fresh(monkeypatch):
    monkeypatch.setattr(budgets, "_kept", None)


@pytest.mark.parametrize(
    ("name", "spent", "kind"),
    [
        ("payment_reminder", "0.9925", ALLOW),  # the last cent is still there
        ("payment_reminder", "0.9926", DEFER),
        ("payment_reminder", "5", DEFER),
        ("critical_financial", "5", ALLOW),
    ],
)
def test_what_is_not_critical_waits_when_its_price_would_go_over(name, spent, kind):
    (verdict,) = verdicts([message("maya", name)], standing(spent=spent))
    assert verdict.kind is kind
    assert verdict.reason == (Reason.BUDGET_EXHAUSTED if kind is DEFER else "")


def test_the_next_period_begins_gently():
    until = NOON + timedelta(hours=7)
    waits = [
        verdicts([message("maya", jitter=jitter)], standing(spent="1"))[0].until
        for jitter in (0.0, 0.5, 0.99)
    ]
    assert waits[0] == until
    assert waits == sorted(waits)
    assert waits[-1] < until + timedelta(hours=1)


def test_what_expires_before_the_next_period_is_skipped_with_the_reason():
    soon = message("maya", expires_at=NOON + timedelta(hours=3))
    (verdict,) = verdicts([soon], standing(spent="1"))
    assert (verdict.kind, verdict.reason) == (SKIP, Reason.BUDGET_EXHAUSTED)
    assert verdict.evidence["policy"] == "budget"


def test_a_batch_does_not_go_over_together():
    people = [f"person {n}" for n in range(5)]
    batch = [message(each, "payment_reminder") for each in people]
    found = verdicts(batch, standing(limit="0.0225"), people=people)
    assert [each.kind for each in found] == [ALLOW] * 3 + [DEFER] * 2


def test_a_budget_of_one_channel_leaves_the_other_alone():
    texts = standing(spent="1", channel=SMS, name="sms.day")
    assert verdicts([message("maya", "payment_reminder", SMS)], texts)[0].kind is DEFER
    assert verdicts([message("maya", "payment_reminder", EMAIL)], texts)[0].kind is ALLOW


def test_of_two_spent_budgets_the_one_that_lasts_longer_decides():
    month = standing(spent="1", name="month", until=NOON + timedelta(hours=20))
    (verdict,) = verdicts([replace(message("maya"), jitter=0.0)], standing(spent="1"), month)
    assert verdict.until == month.until


@pytest.mark.usefixtures("database", "redis", "fresh")
def test_standings_count_the_present_day_and_month_by_channel(configure):
    configure(MINGUS_BUDGETS="day=10,month=100,sms.day=5,email.month=1")
    spend("0.5")
    spend("0.25", channel="email")
    spend("2", at=NOW.replace(day=1))
    spend("7", at=NOW.replace(month=10, day=31, hour=23))
    found = {each.name: each for each in budgets.standings(NOW)}
    assert {name: each.spent for name, each in found.items()} == {
        "day": Decimal("0.75"), "month": Decimal("2.75"), "sms.day": Decimal("0.5"), "email.month": Decimal("0.25"),
    }  # fmt: skip
    assert found["day"].until == datetime(2026, 11, 25, tzinfo=UTC)
    assert found["month"].until == datetime(2026, 12, 1, tzinfo=UTC)
    assert found["sms.day"].covers(Channel.SMS)
    assert not found["sms.day"].covers(Channel.EMAIL)


@pytest.mark.usefixtures("database", "fresh")
def test_with_redis_empty_or_away_the_standings_are_the_same(configure, redis, monkeypatch):
    from core.redis import disconnect

    configure(MINGUS_BUDGETS="day=10,month=100")
    spend("0.5", "0.25")
    redis.flushdb()
    assert [each.spent for each in budgets.standings(NOW)] == [Decimal("0.75")] * 2
    assert counters.totals(NOW.date()) is not None, "a partial day was rebuilt"
    configure(REDIS_URL="redis://127.0.0.1:9/0", MINGUS_BUDGETS="day=10,month=100")
    monkeypatch.setattr(budgets, "_kept", None)
    assert [each.spent for each in budgets.standings(NOW)] == [Decimal("0.75")] * 2
    disconnect()


def test_without_budgets_nothing_is_asked(configure):
    configure(DATABASE_URL="postgresql://nobody@127.0.0.1:9/none", REDIS_URL="redis://127.0.0.1:9/0")
    assert budgets.standings(NOW) == ()
    assert budgets.watch(NOW) == []


@pytest.mark.usefixtures("database", "redis", "fresh")
def test_operators_are_told_once_at_each_mark_and_the_alarms_end_with_the_period(configure):
    configure(MINGUS_BUDGETS="day=1")
    told = []
    for amount in ("0.49", "0.01", "0.29", "0.02", "0.15", "5"):
        spend(amount)
        budgets.watch(NOW)
        budgets.watch(NOW)
        with transaction() as connection:
            told.append(rows(connection, "SELECT count(*) FROM alarms WHERE ended_at IS NULL")[0][0])
    assert told == [0, 1, 1, 2, 3, 4]
    with transaction() as connection:
        (row,) = rows(connection, "SELECT sentence FROM alarms WHERE subject = 'day 2026-11-24 50 %'")
    assert row[0] == "50 % of the budget day of 1 USD is spent."
    budgets.watch(NOW + timedelta(days=1))
    with transaction() as connection:
        assert rows(connection, "SELECT count(*), count(ended_at) FROM alarms")[0] == (4, 4)


@pytest.mark.usefixtures("redis", "fresh")
def test_a_spent_budget_holds_back_lessons_and_lets_alerts_through(people, provider, configure):
    configure(MINGUS_BUDGETS="day=0.0001", MINGUS_LIMIT_EDUCATIONAL_CONTENT_EMAIL="1000")
    people(person("Maya", 101), person("Noor", 102))
    names = ("educational_content", "critical_financial")
    results = accept_many(
        [
            Request(user_id=user_id, message_type=name, payload=dict(catalog()[name].example))
            for name in names
            for user_id in ("user_maya", "user_noor")
        ]
    )
    ids = [each.notification_id for each in results]
    first = deliver(ids[:2]).states
    second = deliver(ids[2:]).states
    assert sorted(state for state, _ in first.values()) == ["accepted", "sent"]
    assert {reason for state, reason in first.values() if state == "accepted"} == {"budget_exhausted"}
    assert {state for state, _ in second.values()} == {"sent"}
