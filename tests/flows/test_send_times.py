"""The send path's side of the send times: deferrable batches leave at better hours, and the reasons are on record."""

from datetime import timedelta

import pytest

from analytics.engagement_load import shards
from analytics.load import reader
from analytics.send_time_run import fit_channel, publish, write_shard
from core.clock import utc_now
from core.database import transaction
from core.statements import rows
from delivery.catalog import catalog
from flows.batches import Batch, Draft, accept_chunk
from flows.send_times import AWAKE, MAY_WAIT, at_better_hours
from tests.flows.regulars import ZONE, put_regulars

LESSON = dict(catalog()["educational_content"].example)


@pytest.fixture
def regulars(store, redis):
    """The people of `put_regulars` and the fit of their hours; returns now."""
    now = utc_now()
    put_regulars(store, now)
    with reader() as connection:
        fit_channel(connection, "email", now=now)
        for shard in list(shards(connection)):
            write_shard(connection, "email", shard, now=now)
    publish("email")
    return now


def batch(now, **given):
    return Batch(
        **{"message_type": "educational_content", "period": "2026-W45", "prepare": list, "now": now} | given
    )


def drafts(now, **given):
    """A lesson for everybody, meant for seven hours from now."""
    return [
        Draft(user_id=f"user_{n:02d}", payload=LESSON, **{"deliver_after": now + timedelta(hours=7)} | given)
        for n in range(60)
    ]


def accepted():
    """user → (key, deliver_after) of what was accepted."""
    with transaction() as connection:
        found = rows(connection, "SELECT user_id, idempotency_key, deliver_after FROM notifications")
    return {user: (key, at) for user, key, at in found}


def test_a_lesson_leaves_at_its_readers_better_hour_within_a_day_of_its_own_time(regulars):
    count, left_out = accept_chunk.fn(batch(regulars), drafts(regulars), timedelta(days=7))
    assert (count, left_out) == (60, [])
    with transaction() as connection:
        logged = {
            key: (arm, until)
            for key, arm, until in rows(connection, "SELECT key, arm, deliver_after FROM send_choices")
        }
    found = accepted()
    assert dict(found.values()) == {key: until for key, (_, until) in logged.items()}
    earliest = regulars + timedelta(hours=7)
    for _, at in found.values():
        assert earliest <= at <= earliest + MAY_WAIT["educational_content"]
    from zoneinfo import ZoneInfo

    by_model = {
        user: at.astimezone(ZoneInfo(ZONE)).hour
        for user, (key, at) in found.items()
        if logged[key][0] == "model"
    }
    assert len(by_model) > 40
    assert all(hour in AWAKE for hour in by_model.values())
    early = [hour for user, hour in by_model.items() if int(user[-2:]) % 2 == 0]
    late = [hour for user, hour in by_model.items() if int(user[-2:]) % 2 == 1]
    assert sum(early) / len(early) < sum(late) / len(late)


def test_the_holdout_goes_at_the_batchs_own_time_or_the_first_hour_by_day(regulars):
    accept_chunk.fn(batch(regulars), drafts(regulars), timedelta(days=7))
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT took_default, propensity, reason FROM send_choices WHERE arm = 'holdout'",
        )
    assert all(row == (True, 1.0, "held_out") for row in found)


def test_a_run_that_is_repeated_keeps_every_time_it_had_chosen(regulars, store):
    accept_chunk.fn(batch(regulars), drafts(regulars), timedelta(days=7))
    before = accepted()
    store.execute("DELETE FROM notifications")  # as if the run had died between the choice and the acceptance
    later = regulars + timedelta(hours=2)
    accept_chunk.fn(batch(later), drafts(later), timedelta(days=7))
    assert accepted() == before


def test_a_channel_that_has_learnt_nothing_leaves_the_batchs_times_as_they_are(redis, store):
    now = utc_now()
    mine = drafts(now)
    keys = [each.user_id for each in mine]
    assert at_better_hours("educational_content", mine, keys, now=now) == mine


def test_a_campaign_keeps_its_own_pace(regulars):
    accept_chunk.fn(batch(regulars, campaign="spring"), drafts(regulars), timedelta(days=7))
    assert {at for _, at in accepted().values()} == {regulars + timedelta(hours=7)}
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM send_choices") == [(0,)]


@pytest.mark.parametrize("name", ["critical_financial", "payment_reminder", "milestone_reminder"])
def test_what_speaks_of_its_day_does_not_wait(regulars, name):
    mine = drafts(regulars)
    assert at_better_hours(name, mine, [each.user_id for each in mine], now=regulars) == mine


@pytest.mark.parametrize("name", MAY_WAIT)
def test_only_deferrable_types_may_wait_and_never_longer_than_they_live(name):
    assert catalog()[name].deferrable
    assert MAY_WAIT[name] < catalog()[name].lifetime
