"""prefect.yaml and the flows say what the specification says: schedules in UTC, retries exactly, one run at a time."""

from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

SPECIFIED = {  # flow → (minutes between runs, retries, minutes before a retry)
    "monitor-queue-depth": (5, 1, 5),
    "track-delivery-rates": (30, 1, 10),
    "analyze-user-engagement": (60, 1, 30),
    "process-failed-messages": (15, 2, 5),
    "optimize-send-timing": (120, 1, 60),
    "retention": (24 * 60, 1, 30),
}


@pytest.fixture(scope="module")
def scheduled():
    """flow name → its deployment called `scheduled`."""
    found = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return {each["flow_name"]: each for each in found if each["name"] == "scheduled"}


def flow_of(deployment):
    path, _, name = deployment["entrypoint"].partition(":")
    return getattr(import_module(path.removesuffix(".py").replace("/", ".")), name)


@pytest.mark.parametrize("name", SPECIFIED)
def test_a_flow_has_the_name_and_the_retries_of_the_specification(scheduled, name):
    flow = flow_of(scheduled[name])
    _, retries, minutes = SPECIFIED[name]
    assert (flow.name, flow.retries, flow.retry_delay_seconds) == (name, retries, minutes * 60)


@pytest.mark.parametrize("name", SPECIFIED)
def test_a_flow_runs_as_often_as_specified_in_utc(scheduled, name):
    from prefect._vendor.croniter import croniter

    from core.clock import utc_now

    [schedule] = scheduled[name]["schedules"]
    assert schedule["timezone"] == "UTC"
    runs = croniter(schedule["cron"], utc_now())
    first, second = runs.get_next(float), runs.get_next(float)
    assert timedelta(seconds=second - first) == timedelta(minutes=SPECIFIED[name][0])


@pytest.mark.parametrize("name", SPECIFIED)
def test_a_deployment_has_words_tags_and_one_run_at_a_time_on_our_pool(scheduled, name):
    deployment = scheduled[name]
    assert deployment["work_pool"] == {"name": "mingus"}
    assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert len(deployment["description"]) > 60
    assert deployment["tags"]


DEPLOYED = [
    each
    for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    if each["flow_name"] in {*SPECIFIED, "backfill"}
]


@pytest.mark.parametrize("deployment", DEPLOYED, ids=lambda each: each["flow_name"])
def test_the_ui_can_make_a_form_of_every_parameter(deployment):
    schema = flow_of(deployment).parameters
    assert not schema.required
    for name, about in schema.properties.items():
        assert all("type" in each for each in about.get("anyOf", [about])), name
        assert about.get("description"), name


@pytest.mark.parametrize("name", SPECIFIED)
def test_a_deployments_parameters_are_those_of_its_flow(scheduled, name):
    flow = flow_of(scheduled[name])
    given = scheduled[name].get("parameters", {})
    assert flow.validate_parameters(given | {}) is not None
    assert set(given) <= set(flow.parameters.properties)
