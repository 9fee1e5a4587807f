"""The analytics rows on paper: var/bench-analytics.json, the measured part of docs/analytics.md, and its plots.

python -m benchmarks.analytics_paper    the plots anew (seconds), without measuring anything else
"""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from analytics.alarms import Baseline, scan
from analytics.plots import ALARM, CALM, INK, rate_plot
from benchmarks.public_data import public_data
from benchmarks.send_time_quality import BUCKETS, DATA, OURS
from benchmarks.send_time_quality import measure as measure_quality

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "analytics.md"
IMAGES = ROOT / "docs" / "images"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
HEAD = "| row | what | measured | naive | ratio | must reach | met |\n|---|---|---:|---:|---:|---|---|"


def publish(rows: Sequence[Mapping[str, Any]], var: Path) -> None:
    """Writes the rows; those that this run did not measure keep their last figures."""
    file = var / "bench-analytics.json"
    played = {row["id"] for row in rows}
    kept = [row for row in json.loads(file.read_text()) if row["id"] not in played] if file.exists() else []
    everything = sorted([*kept, *rows], key=lambda row: row["id"])
    var.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(everything, indent=2, ensure_ascii=False) + "\n")
    if PAGE.exists():
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{_table(everything)}\n\n{END}{rest.partition(END)[2]}")


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    memory = psutil.virtual_memory().total / 2**30
    machine = (
        f"{datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB, CPython"
        f" {platform.python_version()}, load {os.getloadavg()[0]:.1f} at the end."
    )
    lines = [
        f"| {row['id']} | {row['what']} | {row['value']:,g} {row['unit']} | {_number(row['naive'])}"
        f" | {_number(row['ratio'])}{' ×' if row['ratio'] is not None else ''} | {row['target']}"
        f" | {'yes' if row['met'] else '**no**'} |"
        for row in rows
    ]
    notes = [f"- {row['id']}: {row['note']}" for row in rows if row["note"]]
    return "\n".join([machine, "", HEAD, *lines, "", *dict.fromkeys(notes)])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,g}"


def draw() -> None:
    """The plots of the page."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / "alarm.png").write_bytes(_alarm())
    if (path := public_data(DATA)) is not None:
        (IMAGES / "send-time-quality.png").write_bytes(_quality(measure_quality(path)))


def _alarm() -> bytes:
    """A provider's simulated day that falls from 98.5 % to 96.5 % at noon."""
    rng = np.random.default_rng(3)
    true = np.where(np.arange(288) < 144, 0.985, 0.965)
    hits = rng.binomial(200, rng.beta(true * 600, (1 - true) * 600))
    at = pd.date_range("2026-11-02", periods=288, freq="5min", tz="UTC")
    windows = pd.DataFrame({"at": at, "hits": hits, "total": 200})
    return rate_plot("A fall to 96.5 % at noon", scan(windows, Baseline(np.full(168, 0.985), 600.0)))


def _quality(rows: Sequence[Mapping[str, Any]]) -> bytes:
    from io import BytesIO

    from matplotlib.figure import Figure

    shares = pd.DataFrame(rows).pivot_table(index="method", columns="bucket", values="share", sort=False)
    figure = Figure(figsize=(9, 3.6), dpi=90, layout="constrained")
    axes = figure.add_subplot()
    for method, row in shares[list(BUCKETS)].iterrows():
        ours = method == OURS
        axes.plot(list(BUCKETS), row, label=str(method), lw=2.4 if ours else 1.1, color=CALM if ours else None,
                  ls="-" if ours else "--", marker="o" if ours else None)  # fmt: skip
    axes.axhline(23.5, color=ALARM, lw=0.8, ls=":")
    axes.set_title("Later activity inside the predicted three hours", fontsize=9, color=INK, loc="left")
    axes.set_xlabel("past events of the person", fontsize=8)
    axes.yaxis.set_major_formatter("{x:.0f} %")
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, frameon=False)
    target = BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()


if __name__ == "__main__":
    draw()
