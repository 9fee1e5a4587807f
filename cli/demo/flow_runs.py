"""Running every deployed Prefect flow once, by Prefect's own API, and waiting for the ends."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.clock import utc_now

OCCUPIED = "concurrency limit"
AD_HOC = "batch"
"""A deployment of this name is a batch that people start with parameters; the others run by schedule."""

RECONCILIATION = "reconcile-providers"
"""By itself it leaves out the last minutes: all that a demo has sent so far."""


@dataclass(frozen=True, slots=True)
class FlowRun:
    """How one run ended."""

    deployment: str
    state: str
    seconds: float
    message: str


async def run_all(now: datetime, *, timeout_seconds: float) -> list[FlowRun]:
    """Start every deployment once, and wait for all of them."""
    import anyio
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        deployments = await client.read_deployments()
        flows = {each.id: each.name for each in await client.read_flows()}
        started = []
        for deployment in deployments:
            run = await client.create_flow_run_from_deployment(
                deployment.id,
                parameters=_parameters(flows[deployment.flow_id], deployment, now),
                tags=["demo"],
            )
            started.append((f"{flows[deployment.flow_id]}/{deployment.name}", run.id))
        ended: list[FlowRun] = []
        with anyio.move_on_after(timeout_seconds):
            for name, run_id in started:
                ended.append(await _wait(client, name, run_id))
        missing = started[len(ended) :]
        return ended + [
            FlowRun(name, "TimedOut", timeout_seconds, "did not end in time") for name, _ in missing
        ]


async def _wait(client: Any, name: str, run_id: Any) -> FlowRun:
    import anyio

    while True:
        run = await client.read_flow_run(run_id)
        if run.state is not None and run.state.is_cancelled() and OCCUPIED in (run.state.message or ""):
            await anyio.sleep(2)  # its schedule has just started one: ours comes after it
            again = await client.create_flow_run_from_deployment(
                run.deployment_id, parameters=run.parameters, tags=run.tags
            )
            run_id = again.id
        elif run.state is not None and run.state.is_final():
            seconds = run.total_run_time.total_seconds()
            return FlowRun(name, run.state.name or "", round(seconds, 1), run.state.message or "")
        await anyio.sleep(0.5)


def _parameters(flow: str, deployment: Any, now: datetime) -> dict[str, Any]:
    if flow == RECONCILIATION:
        return {"end": utc_now().isoformat()}
    properties = (deployment.parameter_openapi_schema or {}).get("properties", {})
    last_month = (now.replace(day=1).date().toordinal()) - 1
    if deployment.name == AD_HOC and "month" in properties:
        return {"month": datetime.fromordinal(last_month).strftime("%Y-%m")}
    return {}
