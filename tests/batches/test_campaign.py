"""Campaigns: holdout, hours, pace, the guard that pauses, and the hand that cancels."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from analytics.campaign_watch import Counts, reason_to_pause
from cli.main import app
from core.database import transaction
from core.errors import InvalidRequest
from core.statements import execute, insert_rows, rows
from delivery import Request, accept_many
from delivery.campaigns import begin, campaign_of, counts_of, enforce, set_state
from flows.audience import EVERYBODY, Audience, Recipient, people_of
from flows.batch_values import Draft, LeftOut
from flows.campaign import Pace, campaign, drafts, may_go_on
from flows.watch_campaigns import watch_campaigns
from tests.delivery.stage import person

NOON = datetime(2025, 7, 10, 17, tzinfo=UTC)  # in Chicago
GUARD = {"bounced": 5.0, "complained": 0.3, "failed": 10.0}


@pytest.mark.parametrize(
    ("counts", "stops"),
    [
        (Counts(sent=49, bounced=49), False),  # too early to judge
        (Counts(sent=100, bounced=8), False),  # 8 % seen, but it may be 4 %
        (Counts(sent=100, bounced=12), True),  # surely above 5 % (Wilson: from 7 %)
        (Counts(sent=1000, complained=5), False),
        (Counts(sent=1000, complained=9), True),  # from 0.47 %
        (Counts(sent=0, failed=60), True),
        (Counts(sent=1000, failed=20), False),
    ],
)
def test_it_pauses_when_a_bad_rate_is_sure(counts: Counts, stops: bool) -> None:
    assert bool(reason_to_pause(counts, GUARD)) is stops


def recipients(count: int) -> list[Recipient]:
    return [Recipient(f"user_{n}", "en_US", "America/Chicago", frozenset({"email"})) for n in range(count)]


def prepared(
    people: list[Recipient], *, holdout: float = 0, pace: Pace | None = None, spread: timedelta = timedelta(0)
) -> list[Draft | LeftOut]:
    payload = {"topic": "Savings"}
    found = drafts(
        people,
        name="spring",
        payload=payload,
        holdout=holdout,
        pace=pace or Pace(hour="now"),
        now=NOON,
        spread=spread,
        channel="email",
    )
    return list(found)


def test_the_holdout_is_the_share_asked_for_and_always_the_same_people() -> None:
    first = {each.user_id for each in prepared(recipients(4000), holdout=12.5) if isinstance(each, LeftOut)}
    assert 430 < len(first) < 570
    assert {
        each.user_id for each in prepared(recipients(4000), holdout=12.5) if isinstance(each, LeftOut)
    } == first
    assert not any(isinstance(each, LeftOut) for each in prepared(recipients(500)))


def test_everybody_gets_it_at_their_best_hour_or_the_default_one(people: Any) -> None:
    people(*(person(f"P{n}", 101 + n, id=f"user_{n}") for n in range(3)))
    with transaction() as connection:
        insert_rows(
            connection,
            "INSERT INTO send_times (user_id, channel, curve, best_hours, events) VALUES %s",
            [("user_0", "email", [0] * 24, [20, 7], 9.0), ("user_1", "sms", [0] * 24, [3], 9.0)],
        )
    found = {
        each.user_id: each.deliver_after
        for each in prepared(recipients(3), pace=Pace(hour="best", default_hour=13))
        if isinstance(each, Draft)
    }
    assert found == {
        "user_0": datetime(2025, 7, 11, 1, tzinfo=UTC),  # eight in the evening
        "user_1": datetime(2025, 7, 10, 18, tzinfo=UTC),
        "user_2": datetime(2025, 7, 10, 18, tzinfo=UTC),
    }


def test_it_may_be_for_a_day_that_is_everybodys_own() -> None:
    (draft,) = prepared(recipients(1), pace=Pace(on=date(2025, 8, 1), hour=9))
    assert isinstance(draft, Draft)
    assert draft.deliver_after == datetime(2025, 8, 1, 14, tzinfo=UTC)  # nine in Chicago
    (late,) = prepared(recipients(1), pace=Pace(on=date(2025, 7, 1), hour=9))
    assert isinstance(late, Draft)
    assert late.deliver_after == NOON


def test_the_pace_spreads_people_evenly_and_a_second_run_gives_everybody_the_same_place() -> None:
    def minutes() -> list[int]:
        found = prepared(recipients(3000), spread=timedelta(minutes=10))
        times = [each.deliver_after for each in found if isinstance(each, Draft) and each.deliver_after]
        assert len(times) == 3000
        return [int((at - NOON).total_seconds() // 60) for at in times]

    first = minutes()
    assert all(230 < first.count(minute) < 370 for minute in range(10))  # 300 a minute, by chance
    assert minutes() == first


def waiting(*names: str, now: datetime | None = None) -> None:
    """Accepted lessons of campaign spring, due in an hour."""
    at = now or datetime.now(UTC)
    accept_many(
        [
            Request(
                user_id=name, message_type="educational_content", payload={"topic": "Savings"}, campaign="spring",
                deliver_after=at + timedelta(hours=1), expires_at=at + timedelta(days=1),
            )
            for name in names
        ]
    )  # fmt: skip


def times() -> list[tuple[str, datetime, datetime, datetime]]:
    with transaction() as connection:
        return rows(
            connection,
            "SELECT state, deliver_after, publish_after, expires_at FROM notifications ORDER BY user_id",
        )


def test_pausing_holds_what_waits_and_resuming_gives_it_its_own_times_again(people: Any) -> None:
    people(person("Maya", 101), person("Noor", 102))
    begin("spring", "educational_content", {})
    waiting("user_maya", "user_noor")
    before = times()
    assert set_state("spring", "paused", "by hand") == 2
    assert set_state("spring", "paused", "by hand") == 0
    assert all(row[1] > datetime.now(UTC) + timedelta(days=900) for row in times())
    assert may_go_on("spring")() == "paused: by hand"
    begin("spring", "educational_content", {})
    assert times() == before
    assert may_go_on("spring")() == ""


def test_what_comes_back_to_waiting_after_the_pause_is_held_too(people: Any) -> None:
    people(person("Maya", 101))
    begin("spring", "educational_content", {})
    set_state("spring", "paused", "by hand")
    waiting("user_maya")  # as a worker leaves it that had it in its hands
    assert enforce(campaign_of("spring")) == 1
    assert enforce(campaign_of("spring")) == 0


def test_cancelling_withdraws_what_waits_and_is_for_ever(people: Any) -> None:
    people(person("Maya", 101), person("Noor", 102))
    begin("spring", "educational_content", {})
    waiting("user_maya", "user_noor")
    with transaction() as connection:
        execute(connection, "UPDATE notifications SET state = 'delivered' WHERE user_id = 'user_maya'")
    assert set_state("spring", "cancelled", "by hand") == 1
    counts = counts_of(campaign_of("spring"))
    assert (counts["delivered"], counts["skipped"], counts["waiting"]) == (1, 1, 0)
    assert may_go_on("spring")() == "cancelled: by hand"
    for again in (lambda: begin("spring", "educational_content", {}), lambda: set_state("spring", "running")):
        with pytest.raises(InvalidRequest, match="'spring' was cancelled"):
            again()


def test_one_name_is_one_message_type(database: str) -> None:
    begin("spring", "educational_content", {})
    with pytest.raises(InvalidRequest, match="sends educational_content"):
        begin("spring", "career_insights", {})
    with pytest.raises(InvalidRequest, match="there is no campaign 'autumn'"):
        set_state("autumn", "paused")


def test_the_command_shows_and_turns_campaigns(people: Any) -> None:
    people(person("Maya", 101))
    begin("spring", "educational_content", {})
    waiting("user_maya")

    def said(*words: str) -> str:
        return CliRunner().invoke(app, ["campaign", *words], env={"COLUMNS": "160"}).output

    assert "spring is paused: 1 messages are held" in said("pause", "spring")
    assert "paused: by hand" in said("show", "spring")
    assert "spring is running: 1 messages have their times again" in said("resume", "spring")
    assert "spring is cancelled: 1 messages are withdrawn" in said("cancel", "spring")
    assert "was cancelled: that is for ever" in said("resume", "spring")
    assert "there is no campaign 'autumn'" in said("show", "autumn")


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT id FROM users WHERE country = 'DE'", {"user_dan"}),
        ("SELECT user_id FROM goals WHERE saved >= target;", set()),
        ("SELECT id FROM users -- everybody", {"user_maya", "user_dan"}),
        ("SELECT 'nobody'", set()),
        ("SELECT id, country FROM users LIMIT 0", set()),
    ],
)
def test_an_audience_may_be_a_query(sql: str, found: set[str], people: Any) -> None:
    people(person("Maya", 101), person("Dan", 102, country="DE"))
    assert {each.user_id for each in people_of(Audience(sql=sql))} == found
    assert {each.user_id for each in people_of(Audience(sql=sql, countries=["US"]))} == found - {"user_dan"}


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM users RETURNING id",
        "SELECT id FROM users) AS audience (id); DELETE FROM users; SELECT (1",
        "WITH gone AS (DELETE FROM users RETURNING id) SELECT id FROM gone",
        "SELECT id FROM users FOR UPDATE",
        "SELECT lo_create(0)::text",
        "SELECT",
    ],
)
def test_a_query_that_is_none_or_would_write_is_refused_and_nothing_is_changed(sql: str, people: Any) -> None:
    people(person("Maya", 101))
    with pytest.raises(InvalidRequest, match=r"audience\.sql: "):
        people_of(Audience(sql=sql))
    assert [each.user_id for each in people_of(EVERYBODY)] == ["user_maya"]


@pytest.mark.usefixtures("prefect_server")
def test_the_guard_pauses_what_waits_long_after_the_run_has_ended(people: Any) -> None:
    names = [f"P{n}" for n in range(60)]
    people(*(person(name, 101 + n) for n, name in enumerate(names)), person("Late", 190))
    campaign(
        name="spring", payload={"topic": "Savings"}, audience=EVERYBODY, pace=Pace(hour="now"), dry_run=False
    )
    with transaction() as connection:
        execute(
            connection,
            "UPDATE notifications SET sent_at = now(), state = 'bounced' WHERE user_id <> 'user_late'",
        )
    told = watch_campaigns()
    assert told["spring"]["state"] == "paused"
    assert told["spring"]["because"] == "bounced 60 of 60: surely above 5 %"
    assert told["spring"]["counts"]["waiting"] == 1
    assert times()[0][1] > datetime.now(UTC) + timedelta(days=900)
    again = watch_campaigns(return_state=True)
    assert again.message == "1 campaigns watched, 1 of them paused"


@pytest.mark.usefixtures("prefect_server")
def test_without_parameters_it_is_a_dry_run_of_the_example(people: Any, accepted: Any) -> None:
    people(person("Maya", 101))
    result = campaign()
    assert (result["dry_run"], result["accepted"], len(result["examples"])) == (True, 1, 1)
    assert accepted("educational_content") == {}


@pytest.mark.usefixtures("prefect_server")
def test_it_runs_once_per_person_and_the_guard_pauses_the_next_run(people: Any, accepted: Any) -> None:
    people(*(person(f"P{n}", 101 + n) for n in range(60)))
    asked = {
        "name": "spring",
        "payload": {"topic": "Savings, {first_name}"},
        "audience": EVERYBODY,
        "dry_run": False,
    }
    assert campaign(**asked)["accepted"] == 60
    assert campaign(**asked)["reasons"] == {"already accepted": 60}
    assert set(accepted("educational_content")) == {
        f"educational_content:campaign-spring:user_p{n}" for n in range(60)
    }
    with transaction() as connection:
        execute(connection, "UPDATE notifications SET sent_at = now(), state = 'bounced'")
    people(person("Late", 190))
    result = campaign(**asked)
    assert result["stopped"] == "paused: bounced 60 of 60: surely above 5 %"
    assert result["accepted"] == 0
    with transaction() as connection:
        assert rows(connection, "SELECT state FROM campaigns") == [("paused",)]
