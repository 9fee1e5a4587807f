"""Campaigns: holdout, hours, pace, the guard that pauses, and the hand that cancels."""

from datetime import UTC, datetime
from typing import Any

import pytest

from analytics.campaign_watch import Counts, reason_to_pause
from core.database import execute, insert_rows, rows, transaction
from core.errors import InvalidRequest
from flows import campaign as campaigns
from flows.audience import EVERYBODY, Recipient
from flows.batches import Draft, LeftOut
from flows.campaign import Guard, Pace, campaign, drafts, watcher
from flows.campaign_store import begin, set_state
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
    people: list[Recipient], *, holdout: float = 0, pace: Pace | None = None
) -> list[Draft | LeftOut]:
    payload = {"topic": "Savings"}
    found = drafts(
        people,
        name="spring",
        payload=payload,
        holdout=holdout,
        pace=pace or Pace(hour="now"),
        now=NOON,
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


def test_cancelling_ends_a_run_at_its_next_chunk_and_for_ever(database: str) -> None:
    begin("spring", "educational_content", {})
    may_go_on = watcher("spring", "educational_content", Guard(), Pace())
    assert may_go_on() == ""
    set_state("spring", "cancelled", "by hand")
    assert may_go_on() == "cancelled: by hand"
    with pytest.raises(InvalidRequest, match="'spring' was cancelled"):
        begin("spring", "educational_content", {})


def test_a_paused_campaign_goes_on_when_it_is_run_again(database: str) -> None:
    begin("spring", "educational_content", {})
    set_state("spring", "paused", "by hand")
    begin("spring", "educational_content", {})
    assert watcher("spring", "educational_content", Guard(), Pace())() == ""


def test_one_name_is_one_message_type(database: str) -> None:
    begin("spring", "educational_content", {})
    with pytest.raises(InvalidRequest, match="sends educational_content"):
        begin("spring", "career_insights", {})
    with pytest.raises(InvalidRequest, match="there is no campaign 'autumn'"):
        set_state("autumn", "paused")


def test_the_pace_is_kept_between_chunks(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(campaigns.time, "sleep", slept.append)
    begin("spring", "educational_content", {})
    may_go_on = watcher("spring", "educational_content", Guard(), Pace(per_minute=600))
    for _ in range(3):
        assert may_go_on() == ""
    assert slept == [20.0, 20.0]  # chunks of 200, 600 a minute


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
    assert result["stopped"] == "bounced 60 of 60: surely above 5 %"
    assert result["accepted"] == 0
    with transaction() as connection:
        assert rows(connection, "SELECT state FROM campaigns") == [("paused",)]
