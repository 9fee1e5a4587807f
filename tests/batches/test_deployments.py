"""What prefect.yaml promises about the batches: each entry runs as it stands, and running it twice changes nothing."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.clock import utc_now
from core.database import transaction
from core.ids import new_id
from core.statements import insert_rows, rows
from tests.delivery.stage import person

FILE = Path(__file__).parents[2] / "prefect.yaml"


def batches() -> Iterator[dict[str, Any]]:
    for entry in yaml.safe_load(FILE.read_text())["deployments"]:
        if "batch" in entry["tags"]:
            yield entry


def flow_of(entry: dict[str, Any]) -> Callable[..., Any]:
    path, name = entry["entrypoint"].split(":")
    flow: Callable[..., Any] = getattr(import_module(path.removesuffix(".py").replace("/", ".")), name)
    return flow


def test_every_batch_of_the_issue_is_deployed() -> None:
    assert {f"{entry['flow_name']}/{entry['name']}" for entry in batches()} == {
        "monthly-reports/scheduled", "monthly-reports/batch", "payment-reminders/scheduled", "weekly-checkins/scheduled",
        "milestone-reminders/scheduled", "onboarding-sequences/scheduled", "career-insights/scheduled",
        "educational-content/scheduled", "campaign/batch",
    }  # fmt: skip


@pytest.mark.parametrize(
    "entry", [pytest.param(each, id=f"{each['flow_name']}/{each['name']}") for each in batches()]
)
def test_each_has_a_form_in_the_interface_and_runs_without_parameters(entry: dict[str, Any]) -> None:
    from prefect.utilities.callables import parameter_schema

    flow = flow_of(entry)
    assert flow.name == entry["flow_name"]
    schema = parameter_schema(flow)
    assert not schema.required
    assert {"audience", "dry_run"} <= schema.properties.keys()
    assert "Audience" in schema.definitions


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("flow_name", "message_type"),
    [
        ("payment-reminders", "payment_reminder"),
        ("weekly-checkins", "weekly_checkin"),
        ("milestone-reminders", "milestone_reminder"),
        ("onboarding-sequences", "onboarding_sequence"),
        ("educational-content", "educational_content"),
    ],
)
def test_run_twice_it_accepts_once(flow_name: str, message_type: str, people: Any, accepted: Any) -> None:
    now = utc_now()
    people(person("Zora", 101, joined_at=now - timedelta(hours=30), time_zone=_daytime_zone()))
    with transaction() as connection:
        insert_rows(
            connection,
            "INSERT INTO bills (id, user_id, name, amount, due_on) VALUES %s",
            [(new_id(), "user_zora", "Rent", 900, now.date() + timedelta(days=days)) for days in range(12)],
        )
        if flow_name == "milestone-reminders":
            insert_rows(
                connection,
                "INSERT INTO goals (id, user_id, name, target, saved) VALUES %s",
                [(new_id(), "user_zora", "Car", 100, 100)],
            )
    entry = next(each for each in batches() if each["flow_name"] == flow_name)
    first = flow_of(entry)()
    assert first["accepted"] == 1, first
    assert flow_of(entry)()["accepted"] == 0
    assert len(accepted(message_type)) == 1
    with transaction() as connection:
        ((deliver_after, expires_at, state),) = rows(
            connection, "SELECT deliver_after, expires_at, state FROM notifications"
        )
    assert state == "accepted"
    assert deliver_after < expires_at


def _daytime_zone() -> str:
    """Where it is between ten and eleven o'clock now, so that everything is due at once."""
    hours = (10 - utc_now().hour + 11) % 24 - 11
    return f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"
