"""Monthly reports as a flow: who gets one, who does not and why, and that nobody gets two."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from prefect.exceptions import ParameterTypeError

from core.database import transaction
from core.statements import execute, rows
from flows.audience import Audience, Recipient
from flows.batch_values import LeftOut
from flows.monthly_reports import monthly_reports
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("prefect_server")
JULY = (("2025-07-01", "3000", "income", "Payroll"), ("2025-07-03", "-1200", "housing", "Rent"))


def test_everybody_with_money_gets_a_report_and_the_others_a_reason(
    people: Any, banked: Any, accepted: Any
) -> None:
    people(
        person("Maya", 101), person("Noor", 102), person("Omar", 103), person("Tom", 104, email="", phone="")
    )
    for user in ("user_maya", "user_omar", "user_tom"):
        banked(user, *JULY)
    banked("user_omar", ("2025-07-09", "NaN", "fun", "Bar"))
    result = monthly_reports(month="2025-07")
    assert result["accepted"] == 1
    assert result["reasons"] == {
        "no transactions in 2025-07": 1,
        "a transaction has no readable amount": 1,
        "no address on a channel of this type": 1,
    }
    (key, payload), *others = accepted("monthly_report").items()
    assert not others
    assert key == "monthly_report:2025-07:user_maya"
    assert (payload["income"], payload["spending"], payload["savings"]) == ("3000.00", "1200.00", "1800.00")
    assert [chart["content_id"] for chart in payload["charts"]] == ["categories", "cash-flow"]


def test_it_ends_completed_and_says_how_many_were_skipped(people: Any, banked: Any) -> None:
    people(person("Maya", 101), person("Noor", 102))
    banked("user_maya", *JULY)
    state = monthly_reports(month="2025-07", return_state=True)
    assert state.is_completed()
    assert state.message == "monthly_report 2025-07: completed with 1 skipped; 1 of 2 accepted"


def test_a_run_leaves_its_progress_its_counts_and_who_was_left_out(people: Any, banked: Any) -> None:
    from prefect.client.orchestration import get_client

    people(person("Maya", 101), person("Noor", 102))
    banked("user_maya", *JULY)
    monthly_reports(month="2025-07")
    with get_client(sync_client=True) as client:
        answer = client.request("POST", "/artifacts/latest/filter", json={"limit": 200})
    found = {
        each["key"].removeprefix("monthly-report-"): each
        for each in answer.json()
        if each["key"].startswith("monthly-report-")
    }
    assert found["progress"]["type"] == "progress"
    assert found["progress"]["data"] == 100.0
    assert (
        found["counts"]["description"] == "monthly_report 2025-07: completed with 1 skipped; 1 of 2 accepted"
    )
    assert json.loads(found["left-out"]["data"]) == [
        {"user": "user_noor", "reason": "no transactions in 2025-07"}
    ]


def test_a_second_run_serves_only_who_is_missing(people: Any, banked: Any, accepted: Any) -> None:
    people(person("Maya", 101))
    banked("user_maya", *JULY)
    monthly_reports(month="2025-07")
    before = accepted("monthly_report")
    banked("user_maya", ("2025-07-30", "-5", "fun", "Late booking"))
    people(person("Noor", 102))
    banked("user_noor", *JULY)
    result = monthly_reports(month="2025-07")
    assert (result["accepted"], result["skipped"], result["reasons"]) == (1, 0, {"already accepted": 1})
    after = accepted("monthly_report")
    assert after.keys() - before.keys() == {"monthly_report:2025-07:user_noor"}
    assert after["monthly_report:2025-07:user_maya"] == before["monthly_report:2025-07:user_maya"]


def test_one_persons_unwritable_text_is_told_and_the_others_get_theirs(
    people: Any, banked: Any, accepted: Any
) -> None:
    people(person("Maya", 101), person("Noor", 102))
    banked("user_maya", *JULY)
    banked("user_noor", *JULY, ("2025-07-09", "-900", "\ufdd0" * 70_000, "Bar"))
    result = monthly_reports(month="2025-07")
    assert result["accepted"] == 1
    assert result["skipped"] == 1
    assert next(iter(result["reasons"])).startswith("InvalidRequest: report_data")
    assert list(accepted("monthly_report")) == ["monthly_report:2025-07:user_maya"]


@pytest.mark.parametrize("processes", [1, 2])
def test_one_persons_impossible_data_is_told_and_the_others_get_theirs(
    processes: int, people: Any, banked: Any, accepted: Any
) -> None:
    names = ["Maya", "Noor", "Dan", "Ines", "Tom"]
    people(*(person(name, 101 + number) for number, name in enumerate(names)))
    for name in names:
        banked(f"user_{name.lower()}", *JULY)
    with transaction() as connection:
        execute(
            connection,
            "INSERT INTO goals (id, user_id, name, target, saved, due_on)"
            " VALUES (gen_random_uuid(), 'user_dan', 'Car', 100, 0, 'infinity')",
        )
    state = monthly_reports(month="2025-07", processes=processes, return_state=True)
    assert state.message == "monthly_report 2025-07: completed with 1 skipped; 4 of 5 accepted"
    assert not any("user_dan" in key for key in accepted("monthly_report"))


def test_an_error_of_ours_fails_the_run_and_does_not_skip_everybody() -> None:
    from flows.batch_isolation import decided

    def broken(_people: Any) -> Any:
        raise KeyError("a column")

    def shy(chosen: Any) -> Any:
        if any(each.user_id.endswith("7") for each in chosen):
            raise ValueError("no sevens")
        return [LeftOut(each.user_id, "fine") for each in chosen]

    crowd = [Recipient(f"user_{number}", "en_US", "UTC", frozenset({"email"})) for number in range(60)]
    with pytest.raises(KeyError):
        decided(broken, crowd)
    found = {each.user_id: each.reason for each in decided(shy, crowd) if isinstance(each, LeftOut)}
    assert len(found) == 60
    assert {user for user, reason in found.items() if reason != "fine"} == {
        f"user_{number}" for number in (7, 17, 27, 37, 47, 57)
    }


def test_a_dry_run_tells_counts_cost_and_three_examples_and_accepts_nothing(
    people: Any, banked: Any, accepted: Any
) -> None:
    people(
        *(person(name, 101 + number) for number, name in enumerate(("Maya", "Noor", "Dan", "Ines", "Tom")))
    )
    for name in ("maya", "noor", "dan", "ines"):
        banked(f"user_{name}", *JULY)
    result = monthly_reports(month="2025-07", dry_run=True)
    assert (result["accepted"], result["skipped"], Decimal(result["cost_usd"])) == (4, 1, Decimal("0.0004"))
    assert len(result["examples"]) == 3
    assert "Went out: $1,200.00" in result["examples"][0]["text"]
    assert "Maya Example" not in str(result["examples"]).replace("Hi Maya,", "")
    assert accepted("monthly_report") == {}


@pytest.mark.parametrize(
    ("filtered", "expected"),
    [
        (Audience(countries=["DE"]), {"user_dan"}),
        (Audience(user_ids=["user_maya", "user_nobody"]), {"user_maya"}),
        (Audience(languages=["de"]), {"user_dan"}),
        (Audience(limit=1), {"user_dan"}),
        (Audience(states=["TX"]), {"user_maya", "user_dan"}),
    ],
)
def test_the_audience_narrows_who_is_served(
    filtered: Audience, expected: set[str], people: Any, banked: Any, accepted: Any
) -> None:
    people(person("Maya", 101), person("Dan", 102, country="DE", locale="de_DE"))
    for user in ("user_maya", "user_dan"):
        banked(user, *JULY)
    monthly_reports(month="2025-07", audience=filtered)
    assert {key.rpartition(":")[2] for key in accepted("monthly_report")} == expected


def test_people_whose_data_was_erased_are_in_no_audience(people: Any, banked: Any, accepted: Any) -> None:
    people(person("Maya", 101))
    banked("user_maya", *JULY)
    with transaction() as connection:
        execute(connection, "UPDATE users SET erased_at = now()")
    assert monthly_reports(month="2025-07")["people"] == 0
    assert accepted("monthly_report") == {}


@pytest.mark.parametrize("month", ["2999-01", "2025-13", "July", "2025-7"])
def test_a_month_that_has_not_ended_or_is_none_fails_before_the_run(month: str) -> None:
    with pytest.raises(ParameterTypeError, match="month: "):
        monthly_reports(month=month)


KILLED = """
from functools import partial
import flows.monthly_reports
flows.monthly_reports.run = partial(flows.monthly_reports.run, chunk=5)
flows.monthly_reports.monthly_reports(month="2025-07")
"""


@pytest.mark.slow
def test_killed_outright_and_started_again_it_finishes_and_nobody_gets_two(
    people: Any, banked: Any, accepted: Callable[[str], dict[str, Any]]
) -> None:
    names = [f"Person{number}" for number in range(40)]
    people(*(person(name, 100 + number) for number, name in enumerate(names)))
    for name in names:
        banked(f"user_{name.lower()}", *JULY)
    from prefect.settings import PREFECT_API_URL

    env = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    process = subprocess.Popen([sys.executable, "-c", KILLED], env=env, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(accepted("monthly_report")) < 10:
        assert time.monotonic() < deadline, "it did not begin"
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    before = accepted("monthly_report")
    assert 10 <= len(before) < 40
    result = monthly_reports(month="2025-07")
    assert result["accepted"] == 40 - len(before)
    assert result["reasons"] == {"already accepted": len(before)}
    with transaction() as connection:
        assert rows(connection, "SELECT count(*), count(DISTINCT user_id) FROM notifications") == [(40, 40)]


def test_two_runs_at_once_go_their_own_ways_and_each_serves_everybody() -> None:
    from flows.batches import _order

    ways = [_order(1000, 50, in_turn=False) for _ in range(5)]
    assert all(sorted(way) == list(range(0, 1000, 50)) for way in ways)
    assert len({tuple(way) for way in ways}) > 1
    assert _order(120, 50, in_turn=True) == [0, 50, 100]
