"""Garbled UTF-8 is mended, invisible tricks are taken out, and ordinary text is left alone."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import InvalidRequest
from delivery.content.clean_text import clean, header_value, mend, one_line, refuse_broken

SPECIFICATIONS_EMOJI = "ðŸŽ‰ Congratulations {name}!"


def test_the_specifications_garbled_emoji_is_never_repeated():
    assert mend(SPECIFICATIONS_EMOJI) == "🎉 Congratulations {name}!"


def read_alone(byte: int, charset: str) -> str:
    """One byte as a browser reads it: the five that Windows-1252 leaves undefined are read as Latin-1."""
    return bytes([byte]).decode(charset, "ignore") or chr(byte)


@pytest.mark.parametrize(
    "text",
    [
        "🎉",
        "💰📈",
        "It’s",
        "café",
        "naïve – “quoted” … €5",
        "Ünal, Señor Muñoz",
        "✓ done",
        "❤️",
        "£5",
        "Zoë’s",
    ],
)
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("charset", ["cp1252", "latin-1"])
def test_text_decoded_wrongly_is_read_rightly_again(text, times, charset):
    garbled = text
    for _ in range(times):
        garbled = "".join(read_alone(byte, charset) for byte in garbled.encode())
    assert garbled != text
    assert mend(garbled) == text


@pytest.mark.parametrize(
    "text",
    [
        "« café »", "«\u00a0café\u00a0»", "déjà\u00a0« vu »", "“AMANHÔ", "CAFÉ»", "São João", "Größe", "Ærø – Þór", "naïve",
        "Ελλάδα", "Привет", "日本語", "עברית", "हिन्दी", "5 £ · 6 €", "½ × 2", "à\u00a0Paris", "ÂME", "Ã", "â", "ð", "Ÿ",
        "© 2025", "señal", "İstanbul", "ŸŽ", "Âge",
    ],
)  # fmt: skip
def test_right_text_stays_as_it_is(text):
    assert mend(text) == text


@given(st.text(st.characters(codec="ascii")))
def test_ascii_is_never_garbled(text):
    assert mend(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pay\u202edrawkcab", "paydrawkcab"),
        ("a\u200bb\u2060c\ufeffd", "abcd"),
        ("a\u2066b\u2069", "ab"),
        ("STOP\u200e", "STOP"),
        ("soft\u00adhyphen", "softhyphen"),
        ("bell\x07 nul\0", "bell nul"),
        ("two\r\nlines\rthree", "two\nlines\nthree"),
        ("tab\tstays", "tab\tstays"),
        ("p\u200day", "pay"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("x\U000e0041y", "xy"),
        ("lost\ud800", "lost"),
    ],
)
def test_invisible_signs_are_taken_out_and_emoji_stay_whole(text, shown):
    assert clean(text) == shown


@given(st.text())
@example("\u00c2\x1f\xa0")  # a control sign that stands inside of a garbled pair
def test_clean_text_is_utf8_without_controls_and_stays_clean(text):
    shown = clean(text)
    shown.encode()
    assert not any(ord(c) < 32 and c not in "\n\t" for c in shown)
    assert clean(shown) == shown


@given(st.text())
def test_one_line_is_one_line(text):
    line = one_line(text)
    assert line.splitlines() in ([], [line])
    assert header_value("subject", line) == line


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "Hi\r\nBcc: all@mail.com", "a\0"])
def test_headers_are_not_forged(text):
    with pytest.raises(InvalidRequest, match="subject"):
        header_value("subject", text)


@pytest.mark.parametrize("text", ["a\0b", "\ud83c", "caf\ufffd"])
def test_lost_text_is_refused_at_the_door(text):
    with pytest.raises(InvalidRequest, match=r"alert_data\.message"):
        refuse_broken("alert_data.message", text)


def test_ordinary_text_passes_the_door():
    refuse_broken("x", "Maya 🎉 é")
