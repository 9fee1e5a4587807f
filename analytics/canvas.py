"""A drawing surface for small charts: matplotlib's Agg renderer kept and cleared, its glyphs drawn once and then copied.

A figure drawn through pyplot spends nine tenths of its time on axes, ticks and text layout that our charts don't need
(benchmarks/reports.py). Here shapes go to the renderer directly, and a letter is rasterised the first time that it is
seen. The background stays transparent and all colours are mid-tones, so that a chart reads on white and on dark mail.
"""

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

SCALE = 2
"""Pixels per CSS pixel: sharp on the screens that mail is read on."""
WIDTH = 536
"""CSS pixels: the width of a mail's content."""
TEXT_SIZE = 15
TEAL, SLATE, INK, RED = "#0d9488", "#8795a8", "#71817d", "#dc5f4d"
"""Each has a contrast of at least 3 : 1 on white and on the dark card #1a2422 (WCAG 1.4.11)."""
COLOURS = (TEAL, SLATE, INK, RED)
_STEPS = 16
_OPACITY = bytes(step * 17 for _ in COLOURS for step in range(_STEPS))
_LAST_DRAWN_LETTER = 0x24F
"""Beyond Latin, letters need shaping (Arabic) or are not in the font (CJK)."""


class Canvas:
    """One surface of WIDTH × `height` CSS pixels; (0, 0) is the upper left corner. Not for threads."""

    def __init__(self, height: int) -> None:
        self.height = height
        self._renderer = _renderer(WIDTH * SCALE, height * SCALE)
        self._pixels = np.asarray(self._renderer.buffer_rgba())

    def clear(self) -> None:
        """Everything transparent again."""
        self._renderer.clear()

    def box(
        self, x: float, y: float, width: float, height: float, colour: str, *, alpha: float = 1.0
    ) -> None:
        """A filled rectangle; nothing when it is thinner than a tenth of a pixel."""
        if width < 0.1 or height < 0.1:
            return
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
        self.area(corners, colour, alpha=alpha)

    def area(self, points: Sequence[tuple[float, float]], colour: str, *, alpha: float = 1.0) -> None:
        """A filled polygon."""
        self._path(points, width=0.0, colour=colour, fill=(*_rgb(colour), alpha))

    def line(self, points: Sequence[tuple[float, float]], colour: str, *, width: float) -> None:
        """A line through the points with round joints."""
        self._path(points, width=width * SCALE, colour=colour, fill=None)

    def text(self, x: float, y: float, words: str, *, colour: str = INK, right: bool = False) -> None:
        """Words whose line is centred at `y`, beginning at `x`, or ending there if `right`; cut at the surface's edge."""
        if not words:
            return
        mask = np.hstack([_glyph(letter) for letter in words])
        left = round(x * SCALE) - (mask.shape[1] if right else 0)
        top = max(0, round(y * SCALE) - mask.shape[0] // 2)
        into = self._pixels[top : top + mask.shape[0], max(0, left) : left + mask.shape[1]]
        mask = mask[: into.shape[0], max(0, -left) : max(0, -left) + into.shape[1]]
        into[..., :3][mask > 0] = [round(part * 255) for part in _rgb(colour)]
        np.maximum(into[..., 3], mask, out=into[..., 3])

    def png(self) -> bytes:
        """The picture with our four colours in sixteen steps of opacity each: a third of full colour's bytes."""
        from PIL import Image

        pixels = self._pixels.reshape(-1, 4).view("<u4")[:, 0]  # red in the lowest byte
        # Neighbours are mostly equal: each run of equal pixels is looked up once.
        starts = np.concatenate(([0], np.flatnonzero(pixels[1:] != pixels[:-1]) + 1))
        value = pixels[starts]
        coarse = ((value >> 5) & 7) << 6 | ((value >> 13) & 7) << 3 | ((value >> 21) & 7)
        found = _nearest()[coarse] | (value >> 28).astype(np.uint8)
        indexed = np.repeat(found, np.diff(starts, append=len(pixels)))
        image = Image.fromarray(indexed.reshape(self._pixels.shape[:2]))
        image.putpalette(_palette())
        file = io.BytesIO()
        image.save(file, "PNG", compress_level=4, transparency=_OPACITY)
        return file.getvalue()

    def _path(
        self,
        points: Sequence[tuple[float, float]],
        *,
        width: float,
        colour: str,
        fill: tuple[float, ...] | None,
    ) -> None:
        from matplotlib.path import Path
        from matplotlib.transforms import IdentityTransform

        places = np.asarray(points, dtype=float) * SCALE
        places[:, 1] = self.height * SCALE - places[:, 1]  # Agg counts from below
        style = self._renderer.new_gc()
        style.set_linewidth(width)
        style.set_foreground(colour)
        style.set_joinstyle("round")
        style.set_capstyle("round")
        self._renderer.draw_path(style, Path(places), IdentityTransform(), fill)
        style.restore()


@lru_cache(maxsize=16)
def canvas(height: int) -> Canvas:
    """This process's surface of a height, cleared by whoever draws on it."""
    return Canvas(height)


def can_write(words: str) -> bool:
    """True when every letter can be drawn one by one."""
    return all(letter >= " " and ord(letter) <= _LAST_DRAWN_LETTER for letter in words)


def width_of(words: str) -> float:
    """CSS pixels."""
    return float(sum(_glyph(letter).shape[1] for letter in words)) / SCALE


def shortened(words: str, width: float) -> str:
    """The words cut to `width` CSS pixels, with … when something is missing."""
    if width_of(words) <= width:
        return words
    while words and width_of(words + "…") > width:
        words = words[:-1]
    return words.rstrip() + "…"


@lru_cache(maxsize=1024)
def _glyph(letter: str) -> Any:
    """A letter's coverage (0 to 255) in a cell of the line's height, as wide as the pen moves."""
    from matplotlib.font_manager import FontProperties

    font = FontProperties(family="DejaVu Sans", size=TEXT_SIZE * SCALE)
    height = round(TEXT_SIZE * SCALE * 1.4)
    small = _renderer(height * 3, height)
    small.draw_text(small.new_gc(), height, round(height * 0.75), letter, font, 0)
    # The pen's move is not the ink's width: a row of eleven less a row of one, by ten.
    row, one = (
        small.get_text_width_height_descent(each, font, ismath=False)[0] for each in (letter * 11, letter)
    )
    move = max(1, round((row - one) / 10))
    return np.array(np.asarray(small.buffer_rgba())[:, height : height + move, 3])


def _renderer(width: int, height: int) -> Any:
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(width, height, 72)  # type: ignore[no-untyped-call]  # matplotlib types its figures only


@lru_cache(maxsize=1)
def _nearest() -> Any:
    """Red, green and blue in three bits each → sixteen times the number of the nearest of our colours."""
    ours = np.array([_rgb(colour) for colour in COLOURS])
    steps = (np.arange(8) + 0.5) / 8
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    return (((cube - ours) ** 2).sum(axis=2).argmin(axis=1) * _STEPS).astype(np.uint8)


@lru_cache(maxsize=1)
def _palette() -> list[int]:
    return [round(part * 255) for colour in COLOURS for _ in range(_STEPS) for part in _rgb(colour)]


@lru_cache(maxsize=16)
def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)
