"""The weekly report on what personal send times earned: once per whole week, when its choices have matured."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics.load import reader
from analytics.uplift_weeks import keep_week, last_weeks, week_before
from core.database import transaction
from core.ids import new_id
from core.statements import insert_rows, rows

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
WEEK = timedelta(days=7)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (MONDAY + timedelta(hours=23), MONDAY - WEEK),  # Sunday's sends have not had their day
        (MONDAY + DAY, MONDAY),
        (MONDAY + 6 * DAY, MONDAY),
        (MONDAY + WEEK + DAY, MONDAY + WEEK),
    ],
)
def test_a_week_is_reported_when_its_last_choice_has_matured(now, end):
    assert week_before(now) == (end - WEEK, end)


@pytest.fixture
def chosen(store):
    """chosen(at, count): so many explored and modelled choices of 50 people, every third one answered."""
    store.execute("INSERT INTO users (id) SELECT 'user_' || n FROM generate_series(0, 49) AS n")

    def add(at, count):
        ids = [new_id() for _ in range(count)]
        with transaction() as connection:
            insert_rows(
                connection,
                "INSERT INTO notifications (id, user_id, message_type, lane, state, payload_sealed, content_hash,"
                " deliver_after, publish_after, expires_at, idempotency_key, sent_at) VALUES %s",
                [(each, f"user_{n % 50}", "educational_content", "email_education", "delivered", b"", b"", at, at, at,
                  f"key:{each}", at) for n, each in enumerate(ids)],
            )  # fmt: skip
            insert_rows(
                connection,
                "INSERT INTO send_choices (key, user_id, channel, message_type, arm, reason, propensity, took_model,"
                " took_default, deliver_after, chosen_at) VALUES %s",
                [(f"key:{each}", f"user_{n % 50}", "email", "educational_content", "model" if n % 2 else "explore",
                  "better_hour" if n % 2 else "exploration", 0.95 if n % 2 else 0.01, bool(n % 2), n % 2 == 0, at, at)
                 for n, each in enumerate(ids)],
            )  # fmt: skip
            insert_rows(
                connection,
                "INSERT INTO delivery_events (id, at, notification_id, channel, provider, kind) VALUES %s",
                [(new_id(), at, each, "email", "resend", "clicked") for each in ids[::3]],
            )

    return add


def keep(now):
    with reader() as reading, transaction() as writing:
        return keep_week(reading, writing, now=now)


def kept():
    with transaction() as connection:
        return last_weeks(connection)


def test_a_week_is_measured_once_from_its_own_choices_only(chosen):
    chosen(MONDAY - 3 * DAY, 60)
    chosen(MONDAY + 2 * DAY, 20)
    now = MONDAY + 2 * DAY
    assert keep(now)
    assert not keep(now + timedelta(hours=2))
    [week] = kept()
    assert (week["week"], week["channel"], week["sends"], week["persons"]) == ("2026-W44", "email", 60, 50)
    assert not week["enough"]
    assert "Too little exploration" in week["sentence"]
    assert week["uplift"].count(",") == 1


def test_weeks_come_newest_first(chosen):
    chosen(MONDAY - 3 * DAY, 30)
    chosen(MONDAY + 3 * DAY, 30)
    keep(MONDAY + DAY)
    keep(MONDAY + WEEK + DAY)
    assert [each["week"] for each in kept()] == ["2026-W45", "2026-W44"]


def test_a_week_without_choices_is_kept_as_looked_at(database):
    assert keep(MONDAY + DAY)
    assert kept() == []
    with transaction() as connection:
        assert rows(connection, "SELECT body FROM reports") == [({},)]
