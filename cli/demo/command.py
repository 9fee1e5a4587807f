"""`mingus demo`: bring everything up, do the main job, check it, show it."""

import os
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from cli.folder import DEFAULT_VAR, Var
from cli.up import Ended, ended_by_signals, ignoring_signals

SETTLE_SECONDS = 150
FLOWS_SECONDS = 900
RESULT_SECONDS = 30


def demo(var: Var = DEFAULT_VAR) -> None:
    """Run the main job from end to end; what happened stands in var/demo.json too."""
    from rich.console import Console

    from cli.demo.scenario import LIMITS
    from cli.stack import Stack

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    began = time.monotonic()
    stack = Stack(
        var,
        environ={**LIMITS, **os.environ},
        report=lambda name, seconds: console.print(f"  [green]✓[/] {name:16} {seconds:5.1f} s"),
    )
    with ended_by_signals():
        try:
            console.print(f"Starting MINGUS in {stack.var}")
            stack.start()
            os.environ.update({**LIMITS, **stack.env})
            unmet = _main_job(console, stack.urls, stack.var, began)
            if sys.stdout.isatty() and sys.stdin.isatty():
                console.print("Everything stays up. Ctrl-C stops it.")
                while stack.is_alive:
                    time.sleep(0.5)
        except Ended:
            console.print("Stopping …")
            raise
        finally:
            with ignoring_signals():
                stack.stop()
    if unmet:
        raise typer.Exit(1)


def _main_job(console: Any, urls: Mapping[str, str], var: Path, began: float) -> int:
    import orjson

    from cli.demo import batches
    from cli.demo import outcome as outcomes
    from cli.demo.show import show

    started, ids = _people(console, var)
    live_results, flow_runs = _send_and_run(console, ids, started)
    message_types, latency = outcomes.read(started)
    counts = _at_the_provider(urls, started)
    result = outcomes.Outcome(
        started_at=started.isoformat(),
        seconds=round(time.monotonic() - began, 1),
        message_types=message_types,
        latency_ms=latency,
        flow_runs=flow_runs,
        provider_messages=counts["messages"],
        urls=dict(urls),
    )
    result.expectations = outcomes.expect(
        result, live_results=live_results, sent_ids=counts["ours"], doubled=counts["doubled"]
    )
    result.expectations += batches.expectations(started)
    result.expectations += _failover(console, urls, ids)
    result.seconds = round(time.monotonic() - began, 1)
    (var / "demo.json").write_bytes(orjson.dumps(result.as_data(), option=orjson.OPT_INDENT_2))
    show(console, result)
    return len(result.unmet)


def _failover(console: Any, urls: Mapping[str, str], ids: list[str]) -> list[Any]:
    from cli.demo import failover

    if "sandbox" not in urls:
        return []
    with console.status("Breaking Twilio: critical alerts must arrive all the same …"):
        found = failover.demonstrate(urls["sandbox"], ids)
    console.print(found.table())
    return found.expectations()


def _people(console: Any, var: Path) -> tuple[datetime, list[str]]:
    from cli.demo import jobs, newcomers, past, population
    from core.clock import utc_now
    from core.database import transaction

    now = utc_now()
    with console.status("Writing down people, consents, bills, goals and transactions …"):
        with transaction() as connection:
            ids = population.load(connection, now=now)
        console.print(f"  [green]✓[/] {len(ids)} people in {len(population.PLACES)} places")
    with console.status("Writing down what they were sent in the 60 days before …"):
        if earlier := past.load(now):
            console.print(f"  [green]✓[/] {earlier} messages of the {past.DAYS} days before")
    with console.status("Writing down newcomers, job postings and wishes …"):
        with transaction() as connection:
            new = newcomers.load(connection, now=now)
        postings, wishes = jobs.load(var / "demo", ids, now=now)
        console.print(
            f"  [green]✓[/] {len(new)} newcomers; {postings.written} job postings and {wishes.written} careers imported"
        )
    return utc_now(), ids


def _send_and_run(console: Any, ids: list[str], started: datetime) -> tuple[dict[str, list[bool]], list[Any]]:
    import anyio
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from cli.demo import scenario
    from cli.demo.flow_runs import run_all

    columns = (TextColumn("{task.description:40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        live = scenario.send_live(ids, started)
        total = sum(len(each) for each in live.values())
        answers: dict[str, list[bool]] = {}
        bar = progress.add_task("Live messages of all eight types", total=total)
        for name, results in live.items():
            answers[name] = []
            for each in results:
                answers[name].append(bool(each.get(timeout=RESULT_SECONDS)))
                progress.advance(bar)
        bulk = scenario.accept_bulk(ids, scenario.campaign_name())
        _settle(progress, "Bulk batch and receipts", len(bulk) + total, started)
        bar = progress.add_task("Prefect flows", total=None)
        runs = anyio.run(lambda: run_all(started, timeout_seconds=FLOWS_SECONDS))
        progress.update(bar, total=len(runs), completed=len(runs))
        _settle(progress, "What the batches sent", 1, started)
    return answers, runs


def _settle(progress: Any, what: str, total: int, since: datetime) -> None:
    """Wait until nothing of this run is on its way, as long as a run may take."""
    from cli.demo import scenario

    bar = progress.add_task(what, total=total)
    until = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until:
        moving, waiting = scenario.unsettled(since)
        progress.update(bar, completed=max(0, total - moving - waiting))
        if moving == waiting == 0:
            return
        time.sleep(0.5)


def _at_the_provider(urls: Mapping[str, str], since: datetime) -> dict[str, int]:
    """What the simulator's own ledger says against ours: every notification that we call sent is there, once."""
    from collections import Counter

    from core.database import transaction
    from core.statements import rows

    with transaction() as connection:
        attempts: dict[str, str] = dict(
            rows(
                connection,
                "SELECT a.id::text, a.notification_id::text FROM attempts a"
                " JOIN notifications n ON n.id = a.notification_id WHERE n.created_at >= %s",
                (since,),
            )
        )
        sent = rows(
            connection,
            "SELECT count(*) FROM notifications WHERE created_at >= %s AND sent_at IS NOT NULL",
            (since,),
        )[0][0]
    if "sandbox" not in urls:
        return {"messages": sent, "ours": sent, "doubled": 0}
    found = Counter(attempts.get(_attempt_of(message)) for message in _ledger(urls["sandbox"], since))
    found.pop(None, None)
    return {"messages": len(found), "ours": sent, "doubled": sum(count > 1 for count in found.values())}


def _ledger(sandbox: str, since: datetime) -> list[dict[str, Any]]:
    import httpx

    answer = httpx.get(
        f"{sandbox}_sandbox/messages",
        params={"outcome": "accepted", "since": since.isoformat()},
        timeout=30,
        trust_env=False,
    )
    messages: list[dict[str, Any]] = answer.raise_for_status().json()["messages"]
    return messages


def _attempt_of(message: Mapping[str, Any]) -> str:
    """The attempt that a simulator's message belongs to: Resend carries it as a tag, Twilio in the callback's URL."""
    tags = message.get("tags") or {}
    if isinstance(tags, list):
        tags = {tag["name"]: tag["value"] for tag in tags}
    return str(tags.get("attempt_id") or str(message.get("status_callback") or "").rpartition("/")[2])
