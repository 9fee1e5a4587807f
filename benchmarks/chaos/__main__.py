"""make chaos: the fault suite against real workers, Redis, PostgreSQL and the sandbox of providers.

python -m benchmarks.chaos                       everything, about half an hour on two cores
python -m benchmarks.chaos --short               a selection in a minute or two
python -m benchmarks.chaos --scenario redis      those whose name holds the word
python -m benchmarks.chaos --seed 7              the same kills at the same moments, as far as a machine repeats itself

Ends with 1 when an invariant is broken, and names the seed.
"""

import argparse
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console

from benchmarks.chaos import plain, report
from benchmarks.chaos.invariants import await_calm, check
from benchmarks.chaos.report import Result
from benchmarks.chaos.scenarios import SCENARIOS, Scenario
from benchmarks.chaos.world import ALL, World, open_world

SHORT_SCALE = 0.03
CRASHING = {"MINGUS_CHUNK_SIZE": "5"}  # many small deliveries: many places to die


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(words)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 180)
    wanted = [
        each
        for each in SCENARIOS
        if (each.short or not arguments.short)
        and (not arguments.scenario or any(word.lower() in each.name.lower() for word in arguments.scenario))
    ]
    if arguments.markdown:
        sys.stdout.write(report.markdown(arguments.var / "chaos.json") + "\n")
        return 0
    if arguments.list:
        for each in SCENARIOS:
            console.print(each.name)
        return 0
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    scale = arguments.scale or (SHORT_SCALE if arguments.short else 1.0)
    console.print(f"seed {seed}, scale {scale}: {len(wanted)} scenarios")
    results = run(wanted, seed=seed, scale=scale, var=arguments.var / "chaos", console=console)
    beside = None
    if not arguments.no_plain and any("worker groups" in each.scenario for each in results):
        ours = next(each for each in results if "worker groups" in each.scenario)
        beside = plain.run(arguments.var / "chaos-plain", seed=seed, messages=ours.messages, kills=ours.kills)
    report.show(console, results, beside, seed)
    report.write(arguments.var / "chaos.json", results, beside, seed=seed, scale=scale)
    broken = [each for each in results if each.broken]
    if broken:
        console.print(f"[bold red]{len(broken)} scenarios broke an invariant; repeat with --seed {seed}[/]")
    return 1 if broken else 0


def run(
    wanted: Sequence[Scenario],
    *,
    seed: int,
    scale: float | Mapping[str, float],
    var: Path,
    console: Console,
    only: Sequence[str] = ALL,
) -> list[Result]:
    """Run scenarios in their order; those that need the same environment share a world. `scale` for all or by name."""
    results: list[Result] = []
    for crash_at, scenarios in groupby(wanted, key=lambda each: each.crash_at):
        environ = CRASHING | {"MINGUS_CRASH_AT": crash_at, "MINGUS_CRASH_SEED": str(seed)} if crash_at else {}
        with open_world(var, seed=seed, say=console.print, environ=environ, only=only) as world:
            for scenario in scenarios:
                own = scale if isinstance(scale, float) else scale[scenario.name]
                results.append(_one(world, scenario, len(results), own))
                console.print(report.line(results[-1]))
    return results


def _one(world: World, scenario: Scenario, number: int, scale: float) -> Result:
    campaign = f"chaos{number}"
    world.sandbox("DELETE", "faults")
    before, started = world.kills, world.starts()
    began = time.monotonic()
    load, injected = scenario.run(world, campaign, scale)
    hurt = time.monotonic()
    calm = await_calm(world, campaign, seconds=scenario.calm_seconds)
    recovered = time.monotonic() - hurt
    if scenario.crash_at:  # this world hurts itself until the last message is out
        crashes = world.starts() - started
        world.kills += crashes
        injected += f": {crashes} crashes"
    found = check(world, scenario, campaign, load.accepted)
    if not calm:
        found.broken.append(f"no calm: nothing moved for {scenario.calm_seconds:.0f} s")
    return Result(
        scenario=scenario.name,
        injected=injected,
        messages=found.messages,
        lost=found.lost,
        duplicated=found.duplicated,
        marked=found.marked,
        given_up=found.given_up,
        recovered_in=round(recovered, 1),
        seconds=round(time.monotonic() - began, 1),
        kills=world.kills - before,
        broken=found.broken,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="benchmarks.chaos"
    )
    parser.add_argument("--seed", type=int, help="of the kills and faults; printed with every run")
    parser.add_argument("--scenario", action="append", help="only those whose name holds this word")
    parser.add_argument("--short", action="store_true", help="a small selection")
    parser.add_argument("--scale", type=float, help="share of the full numbers of messages and kills")
    parser.add_argument("--no-plain", action="store_true", help="without the plain Celery task beside it")
    parser.add_argument(
        "--markdown", action="store_true", help="only the last result, as the handbook shows it"
    )
    parser.add_argument("--list", action="store_true", help="the scenarios' names")
    parser.add_argument("--var", type=Path, default=Path("var"), help="folder of the results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
