"""Steps that fan out: over threads, and over two Dask workers in processes of their own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prefect import flow, task

from core.embedded import free_ports
from core.errors import SettingsError
from core.settings import settings
from flows import optimize_send_timing as send_times
from flows.runner import fan_out, task_runner

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def set_up(monkeypatch, database):
    """set_up(MINGUS_FLOW_THREADS="2"): settings for this test."""

    def change(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()

    change()
    yield change
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def cluster(tmp_path):
    """The address of a Dask scheduler with two workers, all of them processes of their own."""
    (port,) = free_ports(1)
    address = f"tcp://127.0.0.1:{port}"
    worker = ("worker", address, "--nworkers", "1", "--nthreads", "1", "--no-dashboard")
    commands = [
        ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-jupyter"),
        *((*worker, "--local-directory", str(tmp_path / str(number))) for number in range(2)),
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "dask", *command],
            cwd=ROOT, env=os.environ.copy(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]  # fmt: skip
    yield address
    for process in reversed(processes):
        process.terminate()
    for process in processes:
        process.wait(30)


def test_without_an_address_steps_run_in_threads_of_this_process(set_up):
    set_up(MINGUS_FLOW_THREADS="3")
    assert task_runner()._max_workers == 3


def test_dask_that_is_not_installed_is_a_clear_error(set_up, monkeypatch):
    set_up(MINGUS_DASK_ADDRESS="tcp://127.0.0.1:8786")
    monkeypatch.setitem(sys.modules, "prefect_dask.task_runners", None)
    with pytest.raises(SettingsError, match=r"mingus-notifications\[dask\]"):
        task_runner()


@task
def double(number: int) -> int:
    if number < 0:
        raise ValueError("no negative numbers")
    time.sleep(0.2)
    return 2 * number


@pytest.mark.slow
def test_results_come_in_the_order_of_the_calls_and_an_error_is_raised(prefect_server, set_up):
    @flow
    def doubled(numbers: list[int]) -> list[int]:
        return fan_out(double, [{"number": each} for each in numbers])

    assert doubled([3, 1, 2]) == [6, 2, 4]
    assert doubled([]) == []
    with pytest.raises(ValueError, match="no negative numbers"):
        doubled([1, -1])


@task
def process_id(_number: int) -> int:
    time.sleep(0.5)
    return os.getpid()


@flow
def process_ids() -> list[int]:
    return fan_out(process_id, [{"_number": number} for number in range(8)])


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server", "redis")
def test_the_send_times_are_learnt_by_two_processes_of_a_dask_cluster_as_by_this_one(
    past, set_up, cluster, monkeypatch
):
    past(300, days=20)
    monkeypatch.setattr("analytics.engagement_load.shards.__defaults__", (50,))
    set_up()
    here = send_times.optimize_send_timing(return_state=True)
    assert here.is_completed(), here.message
    set_up(MINGUS_DASK_ADDRESS=cluster)
    elsewhere = set(process_ids())
    assert len(elsewhere) == 2
    assert os.getpid() not in elsewhere
    there = send_times.optimize_send_timing(return_state=True)
    assert there.is_completed(), there.message
    assert there.result()["email"]["people"] == here.result()["email"]["people"] == 300
    assert there.result()["email"]["active"] == here.result()["email"]["active"] > 30
