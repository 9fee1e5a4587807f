"""The analytics rows A1–A7: ten million events, a million people, real activity, known alarms, exact counts.

The events are made once and kept under var/bench-analytics; rows go to var/bench-analytics.json and into the table and
the plots of docs/analytics.md.

    python -m benchmarks.analytics                         all rows
    python -m benchmarks.analytics A1 A2 --events 1000000  some of them, smaller
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.analytics_paper import draw, publish
from benchmarks.analytics_store import DAYS
from core.embedded import embedded_postgres, embedded_redis, free_ports

ROOT = Path(__file__).resolve().parent.parent
EVENTS = 10_000_000
NAIVE_DAYS = 12
"""Naive reads a fifth of the events and is scaled up: all of them need more memory than a laptop has."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measured promise; `naive` and `ratio` where there is something to compare with."""

    id: str
    what: str
    value: float
    unit: str
    target: str
    met: bool
    naive: float | None = None
    ratio: float | None = None
    note: str = ""


def ran(module: str, *arguments: object, env: Mapping[str, str] | None = None) -> Any:
    """The JSON that a benchmark in a process of its own prints last."""
    ended = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT, env=os.environ | dict(env or {}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ended.returncode != 0:
        raise SystemExit(f"{module} {arguments} failed:\n{ended.stderr[-2000:]}")
    return json.loads(ended.stdout.splitlines()[-1])


@contextmanager
def store(var: Path, events: int) -> Iterator[tuple[str, dict[str, str]]]:
    """The URL of a server with that many events, and the environment that points to it."""
    home = var / "bench-analytics" / str(events)
    home.mkdir(parents=True, exist_ok=True)
    postgres_port, redis_port = free_ports(2)
    with (
        embedded_postgres(home / "postgres", postgres_port, durable=False) as url,
        embedded_redis(home / "redis", redis_port, durable=False) as redis,
    ):
        env = {
            "DATABASE_URL": url,
            "REDIS_URL": redis,
            "MINGUS_VAR": str(home),
            "MINGUS_DATABASE_TIMEOUT": "3600",
        }
        if not (home / "made").exists():
            print(f"Making {events:,} events (once) …", flush=True)
            subprocess.run(
                [sys.executable, "-m", "alembic", "upgrade", "head"],
                cwd=ROOT,
                env=os.environ | env,
                check=True,
            )
            made = ran("benchmarks.analytics_store", "build", url, events, env=env)
            (home / "made").write_text(json.dumps(made))
        else:
            subprocess.run(
                [sys.executable, "-m", "alembic", "upgrade", "head"],
                cwd=ROOT,
                env=os.environ | env,
                check=True,
            )
        yield url, env


def of_store(var: Path, events: int) -> list[Row]:
    """A1 and A2."""
    with store(var, events) as (url, env):

        def measure(what: str, *size: int) -> Any:
            print(f"  {what} …", flush=True)
            return ran("benchmarks.analytics_store", what, url, *size, env=env)

        forget(url)
        rebuilt = measure("rebuild")
        arrived = measure("arrive")
        rates = measure("rates")
        naive_rates = measure("naive_rates")
        naive = measure("naive_rebuild", NAIVE_DAYS)
        forget(url)
    scale = DAYS / NAIVE_DAYS
    seconds, memory = naive["seconds"] * scale, naive["peak_mb"] * scale
    ours_mb = rebuilt["peak_mb"] + rebuilt["backends_mb"]
    told = f"{arrived:,} new events, {rates['tries']:,} tries counted again"
    scaled = (
        f"naive on {naive['events']:,} events × {scale:.0f}, {naive['unwritten'] * scale:.0f} s of it without writing"
        " its tables; ours counts Postgres' backends too"
    )
    return [
        Row("A1", f"track_delivery_rates, incremental, {events:,} events", rates["seconds"], "s", "< 2 s",
            rates["seconds"] < 2, naive_rates["seconds"], round(naive_rates["seconds"] / rates["seconds"], 1), told),
        Row("A1", "… its memory", rates["peak_mb"], "MB", "< 400 MB", rates["peak_mb"] < 400,
            naive_rates["peak_mb"], round(naive_rates["peak_mb"] / rates["peak_mb"], 1)),
        Row("A2", f"all rollups from {events:,} events", rebuilt["seconds"], "s", "≥ 5 × faster than naive",
            seconds >= 5 * rebuilt["seconds"], round(seconds, 1), round(seconds / rebuilt["seconds"], 1), scaled),
        Row("A2", "… its memory", ours_mb, "MB", "≤ 1/5 of naive", ours_mb * 5 <= memory, round(memory),
            round(memory / ours_mb, 1), scaled),
    ]  # fmt: skip


def forget(url: str) -> None:
    """Takes the late events and the watermark back, so that the next run finds what this one found."""
    import psycopg2

    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM delivery_events WHERE at >= (SELECT min(at) FROM late_events)")
        cursor.execute("DELETE FROM rollup_state")
    connection.close()


def of_people(name: str, id_: str, seconds: float) -> list[Row]:
    """A3 and A4: a million people."""
    print(f"  {name} …", flush=True)
    found = ran("benchmarks.analytics_statistics", name, "--people", 1_000_000)
    return [
        Row(id_, f"{name} for {found['people']:,} people", found["seconds"], "s", f"< {seconds:.0f} s", found["seconds"] < seconds),
        Row(id_, "… its memory", found["peak_mb"], "MB", "< 2,000 MB", found["peak_mb"] < 2000),
    ]  # fmt: skip


def of_quality() -> list[Row]:
    """A5: send times on real activity, against every baseline in every bucket of history."""
    from benchmarks.public_data import public_data
    from benchmarks.send_time_quality import DATA, OURS, measure

    path = public_data(DATA)
    if path is None:
        return [Row("A5", f"send-time quality: {DATA} is not here", float("nan"), "%", "≥ 23.5 %", met=False)]
    print("  send-time quality …", flush=True)
    shares = {(row["method"], row["bucket"]): row["share"] for row in measure(path)}
    ours = {bucket: share for (method, bucket), share in shares.items() if method == OURS}
    margins = [ours[bucket] - share for (method, bucket), share in shares.items() if method != OURS]
    best = max(share for (method, bucket), share in shares.items() if method != OURS and bucket == "all")
    return [
        Row("A5", "later activity inside the predicted 3 hours", ours["all"], "%", "≥ 23.5 %", ours["all"] >= 23.5,
            best, round(ours["all"] / best, 3), "naive is the best baseline"),
        Row("A5", "… worst margin to any baseline in any bucket", round(min(margins), 2), "points", "≥ −0.5", min(margins) >= -0.5),
    ]  # fmt: skip


def of_alarms() -> list[Row]:
    """A6: delays and false alarms on simulated overdispersed rates."""
    from analytics.alarm_simulation import (
        Scene,
        delay,
        false_alarms_per_day,
        three_sigma_windows_to_false_alarm,
    )

    print("  alarms …", flush=True)
    scene = Scene()
    daily, to_95, to_97 = false_alarms_per_day(scene), delay(scene, 0.95).median, delay(scene, 0.97).median
    naive = 288 / three_sigma_windows_to_false_alarm(scene)
    return [
        Row("A6", "days with a false alarm", round(100 * daily, 2), "%", "≤ 3 %", daily <= 0.03, round(100 * naive),
            note="naive is a 3-sigma chart's false alarms per day"),
        Row("A6", "windows until 98.5 → 95 % is noticed (median)", to_95, "windows", "≤ 3", to_95 <= 3),
        Row("A6", "windows until 98.5 → 97 % is noticed (median)", to_97, "windows", "≤ 9", to_97 <= 9),
    ]  # fmt: skip


def of_exactness() -> list[Row]:
    """A7: the test that recounts by brute force, with eight concurrent writers."""
    print("  exactness …", flush=True)
    name = "test_a_hundred_thousand_events_of_eight_writers_with_late_commits_are_counted_exactly"
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"tests/store/test_rollups.py::{name}"],
        cwd=ROOT,
        check=False,
        capture_output=True,
    )
    wrong = int(ended.returncode != 0)
    return [
        Row(
            "A7",
            "rollups that differ from a recount, 8 writers, late commits",
            wrong,
            "rollups",
            "0",
            not wrong,
        )
    ]


def print_table(rows: list[Row]) -> None:
    """The rows for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Analytics")
    for column in ("id", "what", "value", "naive", "ratio", "target", "met"):
        table.add_column(column)
    for row in rows:
        naive, ratio = ("" if value is None else f"{value:,g}" for value in (row.naive, row.ratio))
        table.add_row(
            row.id, row.what, f"{row.value:,g} {row.unit}", naive, ratio, row.target, "✓" if row.met else "✗"
        )
    Console(width=140).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help="A1 … A7; all when empty")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--var", type=Path, default=Path(os.environ.get("MINGUS_VAR", ROOT / "var")))
    asked = parser.parse_args()
    parts: Mapping[tuple[str, ...], Callable[[], list[Row]]] = {
        ("A1", "A2"): lambda: of_store(asked.var, asked.events),
        ("A3",): lambda: of_people("send_time", "A3", 90),
        ("A4",): lambda: of_people("engagement", "A4", 120),
        ("A5",): of_quality,
        ("A6",): of_alarms,
        ("A7",): of_exactness,
    }
    wanted = set(asked.rows) or {each for ids in parts for each in ids}
    rows = [row for ids, part in parts.items() if wanted & set(ids) for row in part() if row.id in wanted]
    publish([asdict(row) for row in rows], asked.var)
    draw()
    print_table(rows)
    sys.exit(not all(row.met for row in rows))


if __name__ == "__main__":
    main()
