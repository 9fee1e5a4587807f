"""Full reports per second and core, against a plain pyplot loop in the same run.

    python -m benchmarks.reports [people]

"Full" is figures by pandas from frames, charts, payload, the checks that accepting it makes, and the mail rendered as it goes
into the archive. The plain loop makes the same three charts the usual way (a figure each, savefig) from the same
figures.
"""

import io
import sys
import time
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import matplotlib as mpl
import pandas as pd

from analytics.charts import charts_of
from analytics.finance import MonthFigures, month_figures
from analytics.finance_load import Money
from analytics.months import Month
from analytics.report import payload_of
from core.vocabulary import Channel
from delivery.archived_report import ArchivedReport
from delivery.catalog import message_type
from delivery.content import Person, RenderRequest, render, validate_payload

MONTH = Month.parse("2025-01")
CATEGORIES = {
    "housing": 1,
    "groceries": 9,
    "transport": 7,
    "dining": 8,
    "utilities": 3,
    "shopping": 4,
    "health": 1,
}
EPOCH = date(1970, 1, 1)


def money(people: int) -> Money:
    """Seven months of some 35 movements each, budgets and two goals."""
    dice = Random(1)
    moved, budgets, goals = [], [], []
    for number in range(people):
        user = f"user_{number:06d}"
        for back in range(7):
            first = (MONTH.plus(-back).first - EPOCH).days
            moved.append((user, first, 420_000, "income", "Payroll"))
            for category, count in CATEGORIES.items():
                for _ in range(count):
                    cents = -int(dice.lognormvariate(8.4, 0.5))
                    moved.append((user, first + dice.randint(0, 27), cents, category, f"{category} shop"))
        budgets += [(user, category, 60_000) for category in CATEGORIES]
        goals += [(user, name, 500_000, dice.randint(1, 500_000), None, first) for name in ("Car", "Holiday")]
    return Money(
        pd.DataFrame(moved, columns=["user_id", "day", "cents", "category", "merchant"]),
        pd.DataFrame(budgets, columns=["user_id", "category", "cents"]),
        pd.DataFrame(goals, columns=["user_id", "name", "target", "saved", "due_day", "created_day"]),
        pd.DataFrame({"user_id": pd.Series([], dtype=str), "overdue": pd.Series([], dtype="int64")}),
    )


def plain(figures: MonthFigures) -> int:
    """The same three pictures with pyplot; bytes."""
    from matplotlib import pyplot as plt

    def saved(figure: object) -> int:
        file = io.BytesIO()
        figure.savefig(file, dpi=200, transparent=True)
        plt.close(figure)
        return len(file.getvalue())

    rows = [row for row in figures.categories if row.spent > 0][:6]
    figure, axes = plt.subplots(figsize=(5.36, 1.8))
    axes.barh([row.name for row in rows], [float(row.spent) for row in rows])
    axes.barh([row.name for row in rows], [float(row.usual or 0) for row in rows], height=0.2)
    size = saved(figure)
    figure, axes = plt.subplots(figsize=(5.36, 1.7))
    axes.plot([float(value) for value in figures.cash_flow])
    axes.fill_between(range(len(figures.cash_flow)), [float(value) for value in figures.cash_flow], alpha=0.2)
    size += saved(figure)
    figure, axes = plt.subplots(figsize=(5.36, 0.6))
    axes.barh([goal.name for goal in figures.goals], [goal.percent for goal in figures.goals])
    return size + saved(figure)


def _mail(payload: dict[str, Any]) -> str:
    request = RenderRequest(
        message_type=message_type("monthly_report"),
        channel=Channel.EMAIL,
        payload=payload,
        person=Person(name="Maya Reader"),
        now=datetime(2025, 2, 1, tzinfo=UTC),
    )
    return ArchivedReport.of(render(request)).dump()


def main(people: int) -> None:
    """Prints both rates and their ratio."""
    mpl.use("Agg")
    frames = money(people)
    users = [f"user_{number:06d}" for number in range(people)]
    charts_of(next(iter(month_figures(MONTH, users[:1], frames).figures.values())), "en_US")  # fonts, once
    began = time.process_time()
    found = month_figures(MONTH, users, frames).figures
    computed = time.process_time()
    size = written = 0
    for figures in found.values():
        charts = charts_of(figures, "en_US")
        payload = payload_of(figures, charts)
        validate_payload(message_type("monthly_report"), payload)
        written += len(_mail(payload))
        size += sum(len(chart.png) for chart in charts)
    done = time.process_time()
    some = list(found.values())[: max(5, people // 20)]
    plain(some[0])
    naive_began = time.process_time()
    naive_size = sum(plain(figures) for figures in some)
    naive = (time.process_time() - naive_began) / len(some)
    drawing = time.process_time()
    for figures in some:
        charts_of(figures, "en_US")
    ours = (time.process_time() - drawing) / len(some)
    each = (done - began) / people
    print(f"{people} full reports: {1 / each:.1f}/s per core ({each * 1000:.1f} ms each)")
    print(
        f"  of which pandas {(computed - began) / people * 1000:.2f} ms; pictures {size / people / 1000:.1f} kB, archived {written / people / 1000:.1f} kB"
    )
    print(
        f"charts alone: {ours * 1000:.1f} ms; plain pyplot: {naive * 1000:.1f} ms, {naive_size / len(some) / 1000:.1f} kB"
    )
    print(
        f"ratio: {naive / ours:.1f} x (charts), {naive / each:.1f} x (our whole report against their charts)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
