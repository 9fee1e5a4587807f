"""retention: old months go whole, coming months are there, and what was counted stays counted."""

from datetime import timedelta

from analytics.partitions import partitions
from core.clock import utc_now
from core.database import transaction
from core.ids import new_id
from core.statements import rows
from flows import retention as flow


def event(store, at):
    store.execute(
        "INSERT INTO delivery_events (id, at, notification_id, channel, provider, kind) VALUES (%s, %s, %s, 'sms', 'twilio', 'sent')",
        (new_id(), at, new_id()),
    )


def months(store):
    store.execute("SELECT 1")
    with transaction() as connection:
        return [each.month for each in partitions(connection) if each.month is not None]


def test_months_beyond_the_limit_are_dropped_and_their_counts_stay(store):
    now = utc_now()
    event(store, now - timedelta(days=150))
    event(store, now - timedelta(days=1))
    before = months(store)
    flow.refresh.fn()
    _, dropped, left = flow.tidy.fn(3)
    try:
        assert {each.month for each in dropped} == set(before) - {each.month for each in left if each.month}
        assert dropped
        with transaction() as connection:
            assert rows(connection, "SELECT count(*) FROM delivery_events") == [(1,)]
            assert rows(connection, "SELECT sum(sent)::int FROM try_slots") == [(2,)]
    finally:  # the database is this worker's for the whole session
        store.execute("SELECT ensure_event_partitions(%s, %s)", (min(before).date(), len(before)))


def test_nothing_is_dropped_that_is_young(store):
    before = months(store)
    assert flow.tidy.fn(120)[1] == []
    assert months(store) == before


def test_the_coming_months_are_there(store):
    flow.tidy.fn(120)
    assert max(months(store)) > utc_now() + timedelta(days=80)


def test_events_that_no_month_caught_raise_an_alarm_until_they_are_gone(store):
    event(store, utc_now() + timedelta(days=4000))
    flow.tidy.fn(120)
    with transaction() as connection:
        assert rows(connection, "SELECT name, ended_at IS NULL FROM alarms") == [("stray_events", True)]
    store.execute("DELETE FROM delivery_events_default")
    flow.tidy.fn(120)
    with transaction() as connection:
        assert rows(connection, "SELECT ended_at IS NULL FROM alarms") == [(False,)]
