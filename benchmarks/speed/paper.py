"""The results on paper: a table on the terminal, var/bench.json, and the measured part of docs/performance.md."""

import json
import os
import platform
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

import orjson
import psutil
import psycopg2
import redis
from rich.console import Console
from rich.table import Table

from benchmarks.speed.figures import Figure, number
from benchmarks.speed.stage import ROOT, Stage

JSON = ROOT / "var" / "bench.json"
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def calibration(stage: Stage) -> str:
    """One line on the machine and how fast it was at that moment, so that two runs can be compared."""
    spin = time.process_time()
    sum(range(5_000_000))
    spin = time.process_time() - spin
    payload = {"id": "0" * 36, "values": list(range(50))}
    dumps = time.process_time()
    for _ in range(20_000):
        orjson.dumps(payload)
    dumps = (time.process_time() - dumps) / 20_000
    with closing(psycopg2.connect(stage.env["DATABASE_URL"])) as connection, connection.cursor() as cursor:
        began = time.monotonic()
        for _ in range(500):
            cursor.execute("SELECT 1")
        select = (time.monotonic() - began) / 500
        cursor.execute("CREATE TABLE IF NOT EXISTS calibration (n int)")
        began = time.monotonic()
        for _ in range(50):
            cursor.execute("INSERT INTO calibration VALUES (1)")
            connection.commit()
        commit = (time.monotonic() - began) / 50
    with closing(redis.Redis.from_url(stage.redis_url)) as store:
        began = time.monotonic()
        for _ in range(500):
            store.ping()
        ping = (time.monotonic() - began) / 500
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {psutil.virtual_memory().total / 2**30:.0f} GB, CPython"
        f" {platform.python_version()}; load {os.getloadavg()[0]:.1f}; sum of 5 M integers {spin * 1e3:.0f} ms,"
        f" orjson of 50 numbers {dumps * 1e6:.1f} µs, SELECT 1 {select * 1e6:.0f} µs, INSERT and commit"
        f" {commit * 1e6:.0f} µs, Redis PING {ping * 1e6:.0f} µs"
    )


def show(figures: Sequence[Figure], *, title: str) -> None:
    """A table for people."""
    table = Table(title=title, title_justify="left")
    for name in ("what", "value", "unit", "naive", "ratio", "target", "met"):
        table.add_column(name, justify="right" if name in {"value", "naive", "ratio"} else "left")
    for each in figures:
        met = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[each.met]
        table.add_row(
            each.what, number(each.value), each.unit, number(each.naive), number(each.ratio), each.target, met
        )
    Console(width=150).print(table)


def publish(figures: Sequence[Figure], machine: str) -> None:
    """Write what was measured; rows that this run did not play keep their last figures."""
    rows = [each.row() for each in figures]
    if JSON.exists():
        played = {each.id for each in figures}
        kept = [row for row in json.loads(JSON.read_text())["rows"] if row["id"] not in played]
        rows = sorted(kept + rows, key=lambda row: row["id"])
    JSON.parent.mkdir(exist_ok=True)
    report = {"machine": machine, "at": datetime.now(UTC).isoformat(timespec="seconds"), "rows": rows}
    JSON.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    _page(rows, machine)


def _page(rows: Sequence[dict[str, object]], machine: str) -> None:
    if not PAGE.exists():
        return
    lines = [BEGIN, "", f"Machine: {machine}.", "", "| row | what | measured | naive | ratio | must reach | met |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for row in rows:
        each = Figure(**row)  # type: ignore[arg-type]
        met = {None: "", True: "yes", False: "**no**"}[each.met]
        ratio = f"{number(each.ratio)} ×" if each.ratio is not None else ""
        cells = (
            each.id,
            each.what,
            f"{number(each.value)} {each.unit}",
            number(each.naive),
            ratio,
            each.target,
            met,
        )
        lines.append("| " + " | ".join(cells) + " |")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + "\n".join([*lines, "", END]) + after)
