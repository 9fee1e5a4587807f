"""The pictures: what they show is measured in their pixels, in both lights."""

import io
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from analytics.canvas import INK, RED, SLATE, TEAL, can_write, shortened, width_of
from analytics.charts import cash_flow_line, category_bars, charts_of, savings_progress
from analytics.finance import CategoryFigure, MonthFigures, month_figures
from tests.batches.money import JULY, day, mayas_months, money, transactions

TEAL_RGB = (13, 148, 136)


@pytest.fixture(scope="module")
def maya() -> MonthFigures:
    goal = ("maya", "Car", 500_000, 100_000, None, day("2025-01-01"))
    return month_figures(JULY, ["maya"], money(transactions(*mayas_months()), goals=(goal,))).figures["maya"]


def pixels(png: bytes) -> Any:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGBA")).astype(int)


def teal_widths(png: bytes) -> list[int]:
    """For each run of rows with a solid teal bar: its width in pixels."""
    image = pixels(png)
    near = (np.abs(image[..., :3] - TEAL_RGB).max(axis=2) < 12) & (image[..., 3] > 240)
    widths = near.sum(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (widths > 0).astype(int), [0]])))
    return [int(np.median(widths[start:end])) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def test_bars_are_as_long_as_their_amounts(maya: MonthFigures) -> None:
    chart = category_bars(maya, "en_US")
    assert chart is not None
    housing, dining, _ = teal_widths(chart.png)
    assert dining / housing == pytest.approx(700 / 1200, abs=0.01)
    assert (
        chart.alt
        == "Spending: housing 1,200 (usually 1,200); dining 700 (usually 350); subscriptions 11 (usually 10)"
    )


def test_the_savings_bar_is_filled_by_percent(maya: MonthFigures) -> None:
    chart = savings_progress(maya, "de_DE")
    assert chart is not None
    image = pixels(chart.png)
    middle = image[image.shape[0] // 2, 264:]
    teal = int((np.abs(middle[:, :3] - TEAL_RGB).max(axis=1) < 12).sum())
    track = int((middle[:, 3] > 40).sum())
    assert teal / track == pytest.approx(0.20, abs=0.1)
    assert chart.alt == "Goals: Car 20 % of 5.000"


def test_the_line_ends_where_the_month_ends(maya: MonthFigures) -> None:
    chart = cash_flow_line(maya, "en_US")
    assert chart is not None
    assert chart.alt == "Cash flow by day: highest 3,000, lowest 0, 939 at the end of the month"
    fallen = replace(maya, cash_flow=tuple(Decimal(-each) for each in range(31)))
    sunk = cash_flow_line(fallen, "en_US")
    assert sunk is not None
    assert "lowest −30" in sunk.alt


def test_there_is_no_chart_where_there_is_nothing_to_show(maya: MonthFigures) -> None:
    empty = replace(maya, categories=(), goals=(), cash_flow=(Decimal(0),) * 31)
    assert charts_of(empty, "en_US") == []


def test_a_kept_surface_leaves_no_trace_of_the_person_before(maya: MonthFigures) -> None:
    first = [chart.png for chart in charts_of(maya, "en_US")]
    other = replace(maya, categories=tuple(replace(row, name="zebras") for row in maya.categories))
    charts_of(other, "en_US")
    assert [chart.png for chart in charts_of(maya, "en_US")] == first


def test_the_three_pictures_weigh_little(maya: MonthFigures) -> None:
    assert sum(len(chart.png) for chart in charts_of(maya, "en_US")) < 20_000


@pytest.mark.parametrize("name", ["家賃", "إيجار", "x\ny", "👍"])
def test_letters_that_cannot_be_drawn_one_by_one_are_told_by_their_place(
    name: str, maya: MonthFigures
) -> None:
    assert not can_write(name)
    odd = replace(maya, categories=(CategoryFigure(name, Decimal(5), Decimal(0), None, None),))
    chart = category_bars(odd, "ja_JP")
    assert chart is not None
    assert name in chart.alt


def test_long_names_are_cut_to_their_room() -> None:
    assert shortened("Gifts", 100) == "Gifts"
    cut = shortened("Subscriptions and memberships of all kinds", 100)
    assert cut.endswith("…")
    assert width_of(cut) <= 100


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", [TEAL, SLATE, INK, RED])
@pytest.mark.parametrize("ground", ["#ffffff", "#1a2422"])
def test_every_colour_reads_on_white_and_on_dark_mail(colour: str, ground: str) -> None:
    high, low = sorted((luminance(colour), luminance(ground)), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 3
