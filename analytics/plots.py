"""Pictures of results as PNG, small enough to travel inside a page."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

WIDTH, HEIGHT, DPI = 9.0, 3.2, 90
INK, CALM, ALARM = "#1f2937", "#2563eb", "#dc2626"


def rate_plot(subject: str, windows: pd.DataFrame) -> bytes:
    """The smoothed rate of one stream over its windows with the limit below which it alarms (`alarms.scan`)."""
    figure, axes = _canvas(f"{subject}: delivered within 10 minutes")
    axes.plot(windows["at"], windows["z"], color=CALM, lw=1.6, label="smoothed rate")
    axes.plot(windows["at"], windows["baseline"], color=INK, lw=0.8, ls=":", label="normal for the hour")
    axes.plot(windows["at"], windows["limit"], color=ALARM, lw=0.9, ls="--", label="alarm below")
    bad = windows[windows["alarm"]]
    axes.scatter(bad["at"], bad["z"], color=ALARM, s=14, zorder=3)
    axes.yaxis.set_major_formatter("{x:.1%}")
    axes.legend(loc="lower left", fontsize=7, frameon=False)
    return _png(figure)


def heat_map_plot(title: str, values: ArrayLike, *, unit: str) -> bytes:
    """7 × 24 values by weekday (Monday first) and hour."""
    figure, axes = _canvas(title)
    image = axes.imshow(np.asarray(values, dtype=float), aspect="auto", cmap="viridis")
    axes.set_yticks(range(7), ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], fontsize=7)
    axes.set_xticks(range(0, 24, 3), [f"{hour}:00" for hour in range(0, 24, 3)], fontsize=7)
    figure.colorbar(image, ax=axes, label=unit)
    return _png(figure)


def curves_plot(title: str, curves: dict[str, Sequence[float]]) -> bytes:
    """Curves over the 24 hours of a day."""
    figure, axes = _canvas(title)
    for name, curve in curves.items():
        axes.plot(range(24), curve, lw=1.6, label=name)
    axes.set_xticks(range(0, 24, 3), [f"{hour}:00" for hour in range(0, 24, 3)], fontsize=7)
    axes.yaxis.set_major_formatter("{x:.1%}")
    axes.legend(fontsize=7, frameon=False)
    return _png(figure)


def depth_plot(samples: pd.DataFrame) -> bytes:
    """What waited in each lane over time: `samples` (at, lane, depth)."""
    figure, axes = _canvas("Waiting notifications per lane")
    for lane, rows in samples.groupby("lane"):
        axes.plot(rows["at"], rows["depth"], lw=1.4, label=str(lane))
    axes.legend(fontsize=7, frameon=False)
    return _png(figure)


def _canvas(title: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # no pyplot: it keeps every figure and looks for a screen

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=9, color=INK, loc="left")
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.15)
    return figure, axes


def _png(figure: Any) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()
