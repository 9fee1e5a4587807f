"""How a text is cut into segments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.segments import GSM7_ALPHABET, segment


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        ("", "GSM-7", 1),
        ("x" * 160, "GSM-7", 1),
        ("x" * 161, "GSM-7", 2),
        ("x" * 306, "GSM-7", 2),
        ("x" * 307, "GSM-7", 3),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        ("x" * 152 + "€" + "x" * 152, "GSM-7", 3),  # the euro's two septets don't fit the first part
        ("ñ" * 160, "GSM-7", 1),
        ("“" + "x" * 69, "UCS-2", 1),
        ("“" + "x" * 70, "UCS-2", 2),
        ("🎉" * 35, "UCS-2", 1),
        ("🎉" * 36, "UCS-2", 2),
        ("x" * 66 + "🎉" + "x" * 66, "UCS-2", 3),  # nor the emoji's two units
    ],
)
def test_the_boundaries_of_both_alphabets(text, encoding, segments):
    cut = segment(text)
    assert (cut.encoding, cut.segments) == (encoding, segments)


@given(st.text(max_size=400))
def test_the_parts_are_the_text_and_none_is_too_long(text):
    cut = segment(text)
    assert "".join(cut.parts) == text
    if cut.encoding == "UCS-2":
        assert all(
            len(part.encode("utf-16-le", "surrogatepass")) // 2 <= (70 if cut.segments == 1 else 67)
            for part in cut.parts
        )
    else:
        assert GSM7_ALPHABET.issuperset(text)
