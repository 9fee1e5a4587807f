"""Whole runs against a real Prefect server: they end, leave what people look at, and refuse bad input at once."""

from datetime import UTC, datetime

import pytest

from flows.analyze_user_engagement import analyze_user_engagement
from flows.monitor_queue_depth import monitor_queue_depth
from flows.optimize_send_timing import optimize_send_timing
from flows.process_failed_messages import process_failed_messages
from flows.retention import retention
from flows.track_delivery_rates import track_delivery_rates

FLOWS = {
    track_delivery_rates: {"delivery-rates", "delivery-verdict", "delivery-pictures"},
    monitor_queue_depth: {"queue-depth", "queue-verdict", "queue-history"},
    process_failed_messages: {"failure-triage", "failure-causes", "failure-verdict"},
    analyze_user_engagement: {
        "engagement-funnel",
        "engagement-cohorts",
        "engagement-hours",
        "engagement-verdict",
    },
    optimize_send_timing: {
        "send-times",
        "send-times-rhythms",
        "send-times-uplift",
        "send-times-verdict",
    },
    retention: {"event-months"},
}


def artifacts() -> dict[str, str]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return {each.key: str(each.data) for each in client.read_latest_artifacts()}


@pytest.mark.slow
def test_every_flow_ends_well_on_a_past_and_leaves_its_artifacts(prefect_server, redis, past):
    past(300, days=20)
    for flow, keys in FLOWS.items():
        state = flow(return_state=True)
        assert state.is_completed(), f"{flow.name}: {state.message}"
        assert keys <= set(artifacts()), flow.name
        assert any(sign.isdigit() for sign in state.message), f"{flow.name} found: {state.message}"
    shown = artifacts()
    assert "data:image/png;base64," in shown["delivery-pictures"]
    assert "/findings/delivery/" in shown["delivery-verdict"]


@pytest.mark.slow
def test_every_flow_ends_well_with_an_empty_database_and_says_that_there_is_nothing(
    prefect_server, redis, database
):
    for flow in FLOWS:
        state = flow(return_state=True)
        assert state.is_completed(), f"{flow.name}: {state.message}"
        assert state.message.endswith("."), f"{flow.name} found: {state.message}"
    shown = artifacts()
    assert "nothing to judge" in shown["delivery-verdict"]
    assert "Nothing failed" in shown["failure-verdict"]
    assert "No scores" in shown["engagement-verdict"]
    assert "too few to learn from" in shown["send-times-verdict"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"end": datetime(2100, 1, 1, tzinfo=UTC)}, "in the future"),
        ({"end": datetime(2026, 1, 1)}, "timezone"),
        ({"hours": 0}, "greater than or equal to 1"),
    ],
)
@pytest.mark.slow
def test_impossible_parameters_fail_at_once_and_are_not_retried(prefect_server, database, given, why):
    state = track_delivery_rates(**given, return_state=True)
    assert state.is_failed()
    assert why in state.message
