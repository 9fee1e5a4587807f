"""The demo's result as tables for a person."""

from rich.console import Console
from rich.table import Table

from cli.demo.outcome import Outcome, TypeOutcome


def show(console: Console, outcome: Outcome) -> None:
    """Print what happened, what was found, and where to look."""
    console.print(_types(outcome))
    console.print(_lanes(outcome))
    if outcome.flow_runs:
        console.print(_flows(outcome))
    for each in outcome.unmet:
        console.print(f"[bold red]✗ {each.what}[/]: {each.found}")
    met = len(outcome.expectations) - len(outcome.unmet)
    console.print(f"{met} of {len(outcome.expectations)} expectations held; {outcome.seconds:.0f} s in all.")
    for name, url in outcome.urls.items():
        console.print(f"  {name:10} {url}")


def _types(outcome: Outcome) -> Table:
    table = Table(title="What became of the messages", title_justify="left")
    table.add_column("message type", no_wrap=True)
    for name in ("accepted", "sent", "delivered", "bounced", "failed", "cost USD"):
        table.add_column(name, justify="right")
    table.add_column("deferred · skipped")
    for name, each in outcome.message_types.items():
        table.add_row(
            name, str(each.accepted), str(each.sent), str(each.delivered), str(each.bounced), str(each.failed),
            f"{float(each.cost_usd):.4f}", _reasons(each),
        )  # fmt: skip
    return table


def _reasons(each: TypeOutcome) -> str:
    waiting = [f"{count} {reason} (waits)" for reason, count in sorted(each.deferred_reasons.items())]
    skipped = [f"{count} {reason}" for reason, count in sorted(each.skipped.items())]
    return ", ".join(waiting + skipped) or "—"


def _lanes(outcome: Outcome) -> Table:
    table = Table(title="From accepted to taken by the provider, milliseconds", title_justify="left")
    table.add_column("lane")
    for name in ("messages", "p50", "p95"):
        table.add_column(name, justify="right")
    for lane, marks in outcome.latency_ms.items():
        table.add_row(lane, f"{marks['count']:.0f}", f"{marks['p50']:.0f}", f"{marks['p95']:.0f}")
    return table


def _flows(outcome: Outcome) -> Table:
    table = Table(title="Flow runs", title_justify="left")
    for name in ("flow", "state", "seconds", "message"):
        table.add_column(name)
    for run in outcome.flow_runs:
        table.add_row(run.deployment, run.state, f"{run.seconds:.1f}", run.message)
    return table
