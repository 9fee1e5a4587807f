"""The result as a table for people, as data in var/chaos.json, and as Markdown for docs/reliability.md."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from core.clock import utc_now

COLUMNS = ("messages", "lost", "duplicated", "marked possible duplicate", "recovered in")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row: `recovered_in` seconds from the end of the hurting until nothing waited any more."""

    scenario: str
    injected: str
    messages: int
    lost: int
    duplicated: int
    marked: int = 0
    given_up: dict[str, int] = field(default_factory=dict)
    recovered_in: float = 0.0
    seconds: float = 0.0
    kills: int = 0
    broken: list[str] = field(default_factory=list)


def cells(result: Result) -> list[str]:
    """The row's texts in the order of the table."""
    return [
        result.scenario, result.injected, str(result.messages), str(result.lost), str(result.duplicated),
        str(result.marked), f"{result.recovered_in:.0f} s",
    ]  # fmt: skip


def line(result: Result) -> str:
    """One result while the others still run."""
    mark = "[green]✓[/]" if not result.broken else "[bold red]✗[/]"
    text = f"  {mark} {result.scenario}: {result.injected}; {result.messages} messages, {result.lost} lost, "
    text += f"{result.duplicated} duplicated, {result.marked} marked, {result.recovered_in:.0f} s"
    if result.given_up:
        text += f", given up: {result.given_up}"
    return "\n".join([text, *(f"      [red]{what}[/]" for what in result.broken)])


def show(console: Console, results: Sequence[Result], beside: Result | None, seed: int) -> None:
    """Print the table."""
    table = Table(title=f"What was hurt and what became of it (seed {seed})", title_justify="left")
    table.add_column("scenario")
    table.add_column("injected")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for result in results:
        table.add_row(*cells(result), style="red" if result.broken else "")
    if beside is not None:
        table.add_section()
        table.add_row(*cells(beside))
    console.print(table)


def write(path: Path, results: Sequence[Result], beside: Result | None, *, seed: int, scale: float) -> None:
    """The same as data, with what is needed to repeat it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {
        "seed": seed,
        "scale": scale,
        "on": f"{utc_now():%Y-%m-%d}",
        "cores": os.cpu_count(),
        "scenarios": [asdict(each) for each in results],
        "plain_celery": asdict(beside) if beside else None,
    }
    path.write_text(json.dumps(data, indent=2))


def markdown(path: Path) -> str:
    """The table of a result file for the handbook, under a line that says how it was made."""
    data = json.loads(path.read_text())
    rows = [
        Result(**each)
        for each in data["scenarios"] + ([data["plain_celery"]] if data["plain_celery"] else [])
    ]
    head = ["scenario", "injected", *COLUMNS]
    scale = "" if data["scale"] == 1.0 else f" --scale {data['scale']}"
    made = f"`python -m benchmarks.chaos --seed {data['seed']}{scale}`, {data['on']}, {data['cores']} cores:"
    lines = [made, "", "| " + " | ".join(head) + " |", "|---|---|" + "--:|" * len(COLUMNS)]
    return "\n".join([*lines, *("| " + " | ".join(cells(each)) + " |" for each in rows)])
