"""SMS segments, counted as the network splits them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.channels.gsm7 import BASIC, EXTENSION, Encoding, cheapest, is_gsm7, segments

GSM7, UCS2 = Encoding.GSM7, Encoding.UCS2


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts"),
    [
        ("", GSM7, 0, 1),
        ("a" * 160, GSM7, 160, 1),
        ("a" * 161, GSM7, 161, 2),
        ("a" * 306, GSM7, 306, 2),
        ("a" * 307, GSM7, 307, 3),
        ("€" * 80, GSM7, 160, 1),
        ("€" * 81, GSM7, 162, 2),
        ("a" * 152 + "€" + "a" * 152, GSM7, 306, 3),
        ("a" * 151 + "€" + "a" * 153, GSM7, 306, 2),
        ("’" + "a" * 69, UCS2, 70, 1),
        ("’" + "a" * 70, UCS2, 71, 2),
        ("’" + "a" * 133, UCS2, 134, 2),
        ("’" + "a" * 134, UCS2, 135, 3),
        ("🎉" * 35, UCS2, 70, 1),
        ("🎉" * 36, UCS2, 72, 2),
        ("🎉" * 66, UCS2, 132, 2),
        ("🎉" * 67, UCS2, 134, 3),
        ("a" + "🎉" * 66 + "a", UCS2, 134, 2),
    ],
)
def test_the_known_limits(text, encoding, units, parts):
    count = segments(text)
    assert (count.encoding, count.units, count.segments) == (encoding, units, parts)


def brute_force(text: str) -> int:
    """Lays the text out unit by unit, as a phone would get it, and counts the parts."""
    if set(text) <= BASIC | EXTENSION:
        characters = [["esc", c] if c in EXTENSION else [c] for c in text]
        single, part = 160, 153
    else:
        characters = [
            [
                c.encode("utf-16-be", "surrogatepass")[i : i + 2]
                for i in range(0, len(c.encode("utf-16-be", "surrogatepass")), 2)
            ]
            for c in text
        ]
        single, part = 70, 67
    if sum(map(len, characters)) <= single:
        return 1
    parts: list[list[object]] = [[]]
    for character in characters:
        if len(parts[-1]) + len(character) > part:
            parts.append([])
        parts[-1].extend(character)
    assert all(len(one) <= part for one in parts)
    return len(parts)


signs = st.one_of(
    st.sampled_from(sorted(BASIC)), st.sampled_from(sorted(EXTENSION)), st.sampled_from("🎉é’ Ж漢🇺🇸")
)


@given(st.text(st.sampled_from(sorted(BASIC | EXTENSION)), max_size=700) | st.text(signs, max_size=700))
def test_the_count_equals_a_split_made_by_hand(text):
    assert segments(text).segments == brute_force(text)


@given(st.text(st.sampled_from("ab€🎉"), min_size=1, max_size=40), st.integers(1, 20))
def test_long_texts_with_pairs_at_every_boundary(text, times):
    assert segments(text * times).segments == brute_force(text * times)


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("It’s “due” – pay now…", 'It\'s "due" - pay now...'),
        ("Rent\u00a0due", "Rent due"),
        ("Cafe\u0301", "Café"),
        ("a\tb", "a b"),
        ("Ünal owes 5 €", "Ünal owes 5 €"),
        ("Zoë’s rent", "Zoë’s rent"),
        ("Nice 🎉 – it’s done", "Nice 🎉 – it’s done"),
    ],
)
def test_typographic_signs_become_plain_only_where_that_saves_money(typed, sent):
    assert cheapest(typed, 1600) == sent


@given(st.text(max_size=300))
def test_the_cheapest_spelling_never_costs_more(text):
    import unicodedata

    assert segments(cheapest(text, 1600)).segments <= segments(unicodedata.normalize("NFC", text)).segments


def test_a_curly_quote_no_longer_doubles_the_bill():
    text = "Maya’s rent is due tomorrow, please see to it that the account holds enough for it. Thank you!"
    assert segments(text).segments == 2
    assert segments(cheapest(text, 1600)).segments == 1


def test_the_alphabet_has_the_127_characters_of_gsm_03_38():
    assert len(BASIC) == 127  # 128 with the escape itself
    assert is_gsm7("Ω€[]{}~^|\\\f@£")
    assert not is_gsm7("ç")
    assert not is_gsm7("`")
