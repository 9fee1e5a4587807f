"""The short selection of `make chaos`: real processes killed and answers lost, every invariant checked after."""

import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.chaos import report
from benchmarks.chaos.__main__ import main, run
from benchmarks.chaos.report import Result
from benchmarks.chaos.scenarios import SCENARIOS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
HERE = {"kill -9 of worker groups": 0.01, "5 % of answers lost in every way": 0.15}


def test_killed_workers_and_lost_answers_lose_and_repeat_nothing(server_home: Path):
    seed = secrets.randbelow(10**6)
    wanted = [each for each in SCENARIOS if each.name in HERE]
    only = ("critical", "email", "housekeeping", "beat")  # without receipts: the provider's list must do
    results = run(
        wanted, seed=seed, scale=HERE, var=server_home / "chaos", console=Console(quiet=True), only=only
    )
    assert len(results) == 2
    for each in results:
        assert each.broken == [], f"{each.scenario}: repeat with make chaos --seed {seed}"
        assert (each.lost, each.duplicated) == (0, 0)
        assert each.messages >= 200


def test_every_scenario_has_its_own_name_and_the_short_ones_need_no_world_of_their_own(capsys):
    assert len({each.name for each in SCENARIOS}) == len(SCENARIOS) >= 15
    assert not any(each.short and each.crash_at for each in SCENARIOS)
    assert main(["--list"]) == 0
    assert capsys.readouterr().out.split("\n")[0] == "kill -9 of worker groups"


def test_the_last_result_is_shown_as_the_handbook_has_it(tmp_path, capsys):
    ours = Result(scenario="a", injected="b", messages=9, lost=0, duplicated=0, marked=1, recovered_in=2.4)
    plain = replace(ours, scenario="plain", lost=3)
    report.write(tmp_path / "chaos.json", [ours], plain, seed=7, scale=0.5)
    assert main(["--markdown", "--var", str(tmp_path)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("`python -m benchmarks.chaos --seed 7 --scale 0.5`, 20")
    assert told[-2:] == ["| a | b | 9 | 0 | 0 | 1 | 2 s |", "| plain | b | 9 | 3 | 0 | 1 | 2 s |"]
