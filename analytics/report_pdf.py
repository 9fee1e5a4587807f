"""A report as a PDF for keeping and printing: the mail's text part set on A4 with its pictures, by matplotlib alone.

text ─lines▶ title · rows "name: value (notes)" · headings · sentences ─▶ pages of real, searchable text
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

from analytics.canvas import RED, TEAL, TEXT_SIZE, width_of

PAPER = (595, 842)
"""A4 in points."""
MARGIN = 56
ROOM = PAPER[0] - 2 * MARGIN
BLACK, GREY, PALE = "#12211f", "#52625f", "#d9e5e2"
_ROW = re.compile(r"(?:- )?(?P<name>.+?): (?P<value>[^()]+?)(?P<notes>(?: \([^()]*\))*)")
_FOOT = "\n--\n"
_DRAWING = Lock()
"""matplotlib is not made for threads."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG and the words, if any, to tell below it."""

    png: bytes
    alt: str = ""


def pdf_of(text: str, pictures: Sequence[Picture] = ()) -> bytes:
    """The PDF of a report's text part, the same bytes for the same report; the mail's foot is left out."""
    lines = text.partition(_FOOT)[0].strip().splitlines()
    with _DRAWING:
        pages = _Pages(lines[0] if lines else "")
        shown = False
        for place, line in enumerate(lines[1:], start=1):
            following = lines[place + 1] if place + 1 < len(lines) else ""
            is_heading = following.startswith("- ") and not line.startswith("- ")
            if is_heading and not shown:
                shown = True
                pages.pictures(pictures)
            pages.line(line, is_heading=is_heading)
        if not shown:
            pages.pictures(pictures)
        return pages.bytes()


class _Pages:
    """Pages that grow from the top; `_y` is how much room is left above the lower margin, in points."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._figures: list[Any] = []
        self._turn()
        self._write(MARGIN, "MINGUS", size=9, colour=TEAL, weight="bold")
        self._y -= 24
        self._sentence(title, size=18, weight="bold")
        self._y -= 6

    def line(self, line: str, *, is_heading: bool) -> None:
        """One line of the text part."""
        row = _ROW.fullmatch(line)
        if not line.strip():
            self._y -= 8
        elif is_heading and row is None:
            self._need(60)
            self._sentence(line, size=11, colour=TEAL, weight="bold")
            self._y -= 4
        elif row is not None:
            self._row(row["name"], row["value"], re.findall(r"\(([^()]*)\)", row["notes"]))
        else:
            self._sentence("• " + line[2:] if line.startswith("- ") else line)

    def pictures(self, pictures: Sequence[Picture]) -> None:
        """All pictures, each over its words."""
        from PIL import Image

        for picture in pictures:
            with Image.open(io.BytesIO(picture.png)) as opened:
                pixels = opened.convert("RGBA")
            height = ROOM * pixels.height / pixels.width
            self._need(height + 40)
            box = (MARGIN / PAPER[0], (self._y - height) / PAPER[1], ROOM / PAPER[0], height / PAPER[1])
            axes = self._figures[-1].add_axes(box)
            axes.axis("off")
            axes.imshow(pixels, aspect="auto", interpolation="none")
            self._y -= height + 8
            self._sentence(picture.alt, size=8, colour=GREY)
            self._y -= 8

    def bytes(self) -> bytes:
        """The finished document."""
        from matplotlib.backends.backend_pdf import PdfPages

        file = io.BytesIO()
        facts = {"Title": self._title, "Creator": "MINGUS", "Producer": None, "CreationDate": None}
        with PdfPages(file, metadata=facts) as pages:
            for number, figure in enumerate(self._figures, start=1):
                _text(
                    figure,
                    PAPER[0] - MARGIN,
                    MARGIN / 2,
                    f"{number} / {len(self._figures)}",
                    size=8,
                    right=True,
                )
                pages.savefig(figure)
        return file.getvalue()

    def _row(self, name: str, value: str, notes: Sequence[str]) -> None:
        self._need(40)
        colour = RED if value.startswith(("-", "−")) else BLACK
        names = list(_wrapped(name, 10, ROOM - _width(value, 10) - 20))
        self._write(PAPER[0] - MARGIN, value, size=10, colour=colour, weight="bold", right=True)
        for each in names:
            self._write(MARGIN, each, size=10)
            self._y -= 14
        if notes:
            self._sentence(" · ".join(notes), size=8, colour=GREY)
        self._figures[-1].add_artist(_rule(self._y - 2))
        self._y -= 8

    def _sentence(self, words: str, *, size: float = 10, colour: str = BLACK, weight: str = "normal") -> None:
        for each in _wrapped(words, size, ROOM):
            self._need(size * 1.4)
            self._write(MARGIN, each, size=size, colour=colour, weight=weight)
            self._y -= size * 1.4

    def _write(self, x: float, words: str, **style: Any) -> None:
        _text(self._figures[-1], x, self._y - style["size"], words, **style)

    def _need(self, height: float) -> None:
        if self._y - height < MARGIN:
            self._turn()

    def _turn(self) -> None:
        from matplotlib.figure import Figure

        self._figures.append(Figure(figsize=(PAPER[0] / 72, PAPER[1] / 72), dpi=72))
        self._y = float(PAPER[1] - MARGIN)


def _text(
    figure: Any, x: float, y: float, words: str, *, size: float, colour: str = BLACK, weight: str = "normal",
    right: bool = False,
) -> None:  # fmt: skip
    figure.text(
        x / PAPER[0], y / PAPER[1], _writable(words), size=size, color=colour, weight=weight, parse_math=False,
        family="DejaVu Sans", ha="right" if right else "left",
    )  # fmt: skip


def _rule(y: float) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([MARGIN / PAPER[0], 1 - MARGIN / PAPER[0]], [y / PAPER[1]] * 2, color=PALE, linewidth=0.5)


def _wrapped(words: str, size: float, room: float) -> Iterator[str]:
    """Lines that fit into `room` points; a word that is longer than a line is broken."""
    line = ""
    for word in words.split():
        rest = word
        while _width(rest, size) > room and len(rest) > 1:
            rest = rest[: max(1, int(len(rest) * room / _width(rest, size)) - 1)]
        if line and _width(f"{line} {word}", size) > room:
            yield line
            line = ""
        if rest != word:
            yield from (word[start : start + len(rest)] for start in range(0, len(word), len(rest)))
            continue
        line = f"{line} {word}" if line else word
    if line:
        yield line


def _width(words: str, size: float) -> float:
    # A tenth more for bold letters, which the canvas does not know.
    return width_of(_writable(words)) * size / TEXT_SIZE * 1.1


def _writable(words: str) -> str:
    """The words with □ for signs that the font has not (emoji, Chinese, Japanese, Korean)."""
    return words if words.isascii() else "".join(sign if _has(sign) else "□" for sign in words)


@lru_cache(maxsize=2048)
def _has(sign: str) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return bool(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_char_index(ord(sign)))
