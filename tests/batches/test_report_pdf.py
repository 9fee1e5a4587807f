"""The report as a PDF: real text in order, pictures, pages; the same bytes for the same report."""

import re
import zlib

import pytest

from analytics.canvas import canvas
from analytics.report_pdf import Picture, _wrapped, pdf_of

TEXT = """July 2025, at a glance

Hi Maya, here is how your money moved.

Came in: $3,000.00 (usually $2,900.00)

Where it went
- Housing: $1,200.00 ($50.00 less than the month before)
- Rent (big): -$5.00

--
You receive this mail because you use MINGUS.
"""


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


def letters(pdf: bytes) -> str:
    """What the pages write: one byte a letter, which the embedded fonts number as Latin-1 does."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    drawn = b"".join(zlib.decompress(each) for each in streams if each[:1] == b"x")
    words = re.findall(rb"(?:\((?:\\.|[^\\)])*\)|\[.*?\]) T[jJ]", drawn, re.DOTALL)
    return "".join(
        b"".join(re.findall(rb"\(((?:\\.|[^\\)])*)\)", each)).decode("latin-1") for each in words
    ).replace("\\", "")


def test_it_holds_the_mails_words_as_text_and_not_its_foot() -> None:
    told = letters(pdf_of(TEXT))
    for words in (
        "July 2025, at a glance",
        "Came in",
        "$3,000.00",
        "usually $2,900.00",
        "Rent (big)",
        "1 / 1",
    ):
        assert words in told
    assert "You receive" not in told


def test_the_same_report_gives_the_same_bytes() -> None:
    assert pdf_of(TEXT) == pdf_of(TEXT)


def test_pictures_are_inside() -> None:
    surface = canvas(120)
    surface.clear()
    surface.box(0, 0, 100, 50, "#0d9488")
    assert pdf_of(TEXT, [Picture(surface.png(), "A bar")]).count(b"/Subtype /Image") >= 1
    assert pdf_of(TEXT).count(b"/Subtype /Image") == 0


@pytest.mark.parametrize(
    ("text", "expected"), [("", 1), (TEXT, 1), (TEXT.replace("- Rent", "- Rent: 1\n" * 120 + "- Rent"), 5)]
)
def test_long_reports_go_on_on_the_next_page(text: str, expected: int) -> None:
    assert pages(pdf_of(text)) == expected


def test_signs_without_a_letter_in_the_font_do_not_hinder_it() -> None:
    assert pdf_of(TEXT.replace("Maya", "幸子 🎉 $\\alpha$"))


def test_lines_fit_and_nothing_is_lost() -> None:
    words = "one two three " * 30 + "x" * 400
    lines = list(_wrapped(words, 10, 200))
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")
    assert len(lines) > 5
