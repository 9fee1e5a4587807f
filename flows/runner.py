"""Where the steps of a flow run that fans out: threads of its own process, or the workers of a Dask cluster.

The choice is a setting (`MINGUS_DASK_ADDRESS`), read when a run begins. A step that may go to Dask takes and returns
plain values and reaches its data by itself; its worker needs our code and the same environment as the flow.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from core.errors import SettingsError
from core.settings import settings


def task_runner() -> TaskRunner[Any]:
    """The runner of the settings; SettingsError when Dask is asked for and not installed."""
    chosen = settings()
    if not chosen.dask_address:
        return ThreadPoolTaskRunner(max_workers=chosen.flow_threads)
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as missing:
        raise SettingsError(
            "MINGUS_DASK_ADDRESS: needs `pip install mingus-notifications[dask]`"
        ) from missing
    return DaskTaskRunner(address=chosen.dask_address)


def fan_out(step: Any, calls: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The results of one step for every call, in their order; the first error is raised when all have ended."""
    if not calls:
        return []
    with task_runner() as runner:
        futures = [runner.submit(step, dict(call)) for call in calls]
        for future in futures:
            future.wait()
        return [future.result() for future in futures]
