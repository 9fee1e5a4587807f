"""optimize-send-timing: people get the hours at which they are there, in their own zone, and every choice is logged."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics.engagement_load import shards
from analytics.load import reader
from analytics.send_time_choice import Reason
from analytics.send_time_run import LEAST_PEOPLE, fit_channel, measure, publish, write_shard
from analytics.send_time_store import Wish, choose_sends, redis_key
from analytics.send_time_story import WHY, explain, last_choices
from core.clock import utc_now
from core.database import transaction
from core.ids import new_id
from core.statements import insert_rows, rows
from flows import optimize_send_timing as flow
from tests.flows.regulars import ZONE, put_regulars

NOON = datetime(2026, 6, 15, 16, tzinfo=UTC)


@pytest.fixture
def regulars(store):
    """The people of `put_regulars`; returns now, which is always the same: near some other instants every rounded curve
    turns over at once.
    """
    put_regulars(store, NOON)
    return NOON


def learnt(now, shard_size=50_000):
    """The fit, and (people, own hours) of all shards."""
    with reader() as connection:
        found = fit_channel(connection, "email", now=now)
        parts = [
            write_shard(connection, "email", shard, now=now) for shard in list(shards(connection, shard_size))
        ]
    publish("email")
    return found, tuple(map(sum, zip(*parts, strict=True)))


def test_people_get_the_hours_at_which_they_are_there_in_their_own_zone(redis, regulars):
    found, (people, own) = learnt(regulars)
    assert (people, found.active) == (60, 60)
    assert own > 20
    with transaction() as connection:
        times = dict(rows(connection, "SELECT user_id, best_hours FROM send_times"))
        [(sums,)] = rows(
            connection, "SELECT array_agg(DISTINCT (SELECT sum(x) FROM unnest(curve) AS x)) FROM send_times"
        )
    assert {hours[0] for user, hours in times.items() if int(user[-2:]) % 2 == 0} <= {6, 7, 8}
    assert {hours[0] for user, hours in times.items() if int(user[-2:]) % 2 == 1} <= {18, 19, 20}
    assert all(9_980 <= each <= 10_020 for each in sums)


def test_the_send_path_finds_everybodys_hours_and_those_of_people_who_differ(redis, regulars):
    learnt(regulars)
    hours = redis.hgetall(redis_key("email"))
    everybody = hours[b"*"]
    assert all(int(each) in range(24) for each in everybody.split(b","))
    assert len(hours) > 20
    assert all(own != everybody for user, own in hours.items() if user != b"*")


def test_a_second_run_starts_from_the_first_and_changes_no_row(redis, regulars):
    learnt(regulars)
    with transaction() as connection:
        before = rows(connection, "SELECT user_id, xmin::text FROM send_times ORDER BY 1")
    learnt(regulars + timedelta(minutes=1))
    with transaction() as connection:
        after = rows(connection, "SELECT user_id, xmin::text FROM send_times ORDER BY 1")
        assert rows(connection, "SELECT count(*) FROM send_time_fits") == [(2,)]
    assert sum(a != b for a, b in zip(before, after, strict=True)) < 30


def test_too_few_people_teach_nothing_and_the_verdict_says_so(redis, database):
    found = flow.fit.fn("sms", utc_now())
    assert found["population"] is None
    assert found["active"] < LEAST_PEOPLE
    assert "too few to learn from" in flow.verdict([found])


def choose(now, count=60, **given):
    wishes = [
        Wish(f"user_{number:02d}", f"weekly:{number}", now + timedelta(hours=30)) for number in range(count)
    ]
    with transaction() as connection:
        return choose_sends(
            connection,
            wishes,
            **{"channel": "email", "message_type": "educational_content", "now": now} | given,
        )


def test_choices_are_made_in_allowed_hours_and_logged_with_their_probability(redis, regulars):
    learnt(regulars)
    choices = choose(regulars, allowed=lambda local: 8 <= local.hour < 21)
    assert len(choices) == 60
    assert all(regulars <= each.until <= regulars + timedelta(hours=30) for each in choices.values())
    with transaction() as connection:
        logged = dict(rows(connection, "SELECT key, propensity FROM send_choices"))
    assert logged == pytest.approx({key: each.propensity for key, each in choices.items()})
    assert all(0 < each <= 1 for each in logged.values())


def test_a_channel_that_has_learnt_nothing_chooses_nothing(database):
    assert choose(utc_now()) == {}


def test_the_uplift_is_measured_from_matured_choices_and_what_people_did(redis, regulars, store):
    learnt(regulars)
    choose(regulars - timedelta(days=3))
    with transaction() as connection:
        keys = [key for (key,) in rows(connection, "SELECT key FROM send_choices WHERE arm <> 'holdout'")]
        ids = [new_id() for _ in keys]
        insert_rows(
            connection,
            "INSERT INTO notifications (id, user_id, message_type, lane, state, payload_sealed, content_hash, deliver_after,"
            " publish_after, expires_at, idempotency_key, sent_at) VALUES %s",
            [
                (each, "user_00", "educational_content", "email_education", "delivered", b"", b"", regulars, regulars,
                 regulars, key, regulars)
                for each, key in zip(ids, keys, strict=True)
            ],
        )  # fmt: skip
        insert_rows(
            connection,
            "INSERT INTO delivery_events (id, at, notification_id, channel, provider, kind) VALUES %s",
            [(new_id(), regulars, each, "email", "resend", "clicked") for each in ids[::2]],
        )
    with reader() as connection:
        uplift = measure(connection, "email", since=regulars - timedelta(days=9), until=regulars)
    assert uplift.sends == len(keys)
    assert not uplift.enough
    assert learnt(regulars)[0].fit.personalise


def test_a_choice_can_be_explained(redis, regulars):
    with transaction() as connection:
        assert "nothing was learnt yet" in explain(connection, "user_01", "email")[0]
    learnt(regulars)
    with transaction() as connection:
        lines = explain(connection, "user_01", "email")
    assert ZONE in lines[1]
    assert len(lines) - 24 in {2, 3}  # the third one is for people of the comparison group


def test_the_command_tells_hours_and_reasons_of_a_person(redis, regulars):
    from typer.testing import CliRunner

    from cli.main import app

    learnt(regulars)
    choose(regulars)
    result = CliRunner().invoke(app, ["send-time", "user_01", "--channel", "email"], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    assert "weighted events of their own" in result.output
    with transaction() as connection:
        [choice] = last_choices(connection, "user_01")
    assert choice["why"] in result.output
    assert f"{choice['propensity']:.1%}" in result.output


def test_the_command_says_so_when_there_is_nobody_or_nothing(redis, regulars):
    from typer.testing import CliRunner

    from cli.main import app

    result = CliRunner().invoke(app, ["send-time", "user_nobody"])
    assert result.exit_code == 1
    assert "user_nobody" in result.output + result.stderr
    result = CliRunner().invoke(app, ["send-time", "user_01"])
    assert "nothing was learnt yet" in result.output
    assert "No message of theirs" in result.output


def test_every_reason_has_its_words():
    assert set(WHY) == set(Reason)
