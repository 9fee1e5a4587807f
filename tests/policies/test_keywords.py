"""Replies to texts: tables of what people really write, and tricks of writing that change nothing."""

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from delivery.keywords import (
    OPT_OUT_WORDS,
    Intent,
    RevocationScope,
    classify,
    normalise,
    revocation_scope,
)

OUT, IN, HELP, REVIEW, NOTHING = Intent.OPT_OUT, Intent.OPT_IN, Intent.HELP, Intent.REVIEW, Intent.NOTHING

REPLIES = [
    ("STOP", OUT), ("stop", OUT), ("Stop.", OUT), ("STOPALL", OUT), ("STOP ALL", OUT), ("UNSUBSCRIBE", OUT),
    ("Cancel", OUT), ("END", OUT), ("Quit!", OUT), ("REVOKE", OUT), ("OPTOUT", OUT), ("OPT OUT", OUT),
    ("OPT-OUT", OUT), ("Remove", OUT), ("ARRET", OUT), ("ARRÊT", OUT), ("ALTO", OUT), ("PARAR", OUT),
    ("please stop", OUT), ("Stop, thanks!", OUT), ("stop stop STOP", OUT), ("ok stop it", OUT), ("“STOP”", OUT),
    ("Stop texting me!!", OUT), ("do NOT text me again", OUT), ("don't text me", OUT), ("Don’t contact me", OUT),
    ("Please remove me from this list", OUT), ("take me off your list", OUT), ("I want to unsubscribe", OUT),
    ("please unsubscribe me", OUT), ("no more texts", OUT), ("I revoke my consent", OUT), ("LEAVE ME ALONE", OUT),
    # tricks of writing
    ("ＳＴＯＰ", OUT), ("S\u200bT\u200bO\u200bP", OUT), ("\ufeffstop\u2060", OUT), ("𝐒𝐓𝐎𝐏", OUT), ("ⓈⓉⓄⓅ", OUT),
    ("🆂🆃🅾🅿", OUT), ("🇸 🇹 🇴 🇵", OUT), ("STOP 🛑😡", OUT), ("S.T.O.P", OUT), ("s t o p", OUT), ("S-T-O-P!", OUT),
    ("ЅТОР", OUT), ("ΑLTO", OUT), ("st0p", OUT), ("5TOP", OUT), ("Śtōp", OUT), ("s\u0336t\u0336o\u0336p\u0336", OUT),
    ("  \n\tstop\r\n", OUT), ("STO\u00adP", OUT), ("stop\u3164", OUT), ("ﬆop", OUT), ("ſtop", OUT),
    # in again, and help
    ("START", IN), ("unstop", IN), ("Start please", IN), ("HELP", HELP), ("info?", HELP), ("Help me please", HELP),
    # a person has to look
    ("don't stop", REVIEW), ("please do not stop texting me", REVIEW), ("I can't stop spending on coffee", REVIEW),
    ("cancel my subscription", REVIEW), ("how do I opt out", REVIEW), ("wrong number", REVIEW), ("sotp", REVIEW),
    ("stp", REVIEW), ("stopp", REVIEW), ("unsuscribe", REVIEW), ("🛑", REVIEW), ("who is this", REVIEW),
    ("I will sue you", REVIEW), ("start texting me again", REVIEW),
    # anything else
    ("YES", NOTHING), ("4", NOTHING), ("", NOTHING), ("🙂", NOTHING), ("The weekend was fine", NOTHING),
    ("at the end of the month", NOTHING), ("Thanks!", NOTHING), ("nonstop flights", NOTHING), ("I started", NOTHING),
    ("100", NOTHING), ("Привет", NOTHING), ("\x00", NOTHING),
]  # fmt: skip


@pytest.mark.parametrize(("text", "intent"), REPLIES)
def test_what_a_reply_means(text, intent):
    assert classify(text).intent is intent


def test_yes_is_an_opt_in_only_as_an_answer_to_the_question():
    assert classify("Yes!", opt_in_open=True).intent is IN
    assert classify("Yes!").intent is NOTHING


def test_the_reading_says_which_word_or_phrase_decided():
    assert classify("Would you STOP texting me").matched == "stop texting"
    assert classify("Ｑｕｉｔ").matched == "quit"


BEFORE, SINCE = datetime(2027, 1, 30, 23, 59, tzinfo=UTC), datetime(2027, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at", "scope"),
    [
        ("STOP", BEFORE, RevocationScope.PROGRAMME),
        ("STOP", SINCE, RevocationScope.EVERYTHING),
        ("STOP ALL", BEFORE, RevocationScope.EVERYTHING),
        ("stopall", BEFORE, RevocationScope.EVERYTHING),
        ("stop all texts", BEFORE, RevocationScope.EVERYTHING),
    ],
)
def test_one_stop_ends_everything_from_the_day_of_the_law_or_when_the_person_says_so(text, at, scope):
    assert revocation_scope(classify(text), at) is scope


INVISIBLE = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cf", "Mn", "Me")]
DECORATION = st.text(st.sampled_from([*INVISIBLE, *".!?,;:-*_~'\"", "😡", "\u3164"]), max_size=4)


@settings(max_examples=300, deadline=None)
@given(
    word=st.sampled_from(sorted(OPT_OUT_WORDS)),
    before=DECORATION,
    after=DECORATION,
    marks=st.lists(st.sampled_from(INVISIBLE), min_size=15, max_size=15),
    case=st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    wide=st.booleans(),
)
@example(  # this mark, folded, becomes an iota
    word="alto", before="", after="\u0345", marks=["\xad"] * 15, case=str.upper, wide=False
)
def test_no_decoration_hides_an_opt_out(*, word, before, after, marks, case, wide):
    written = case(word)
    if wide:
        written = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in written)
    written = "".join(c + mark for c, mark in zip(written, marks, strict=False))
    assert classify(before + written + after).intent is OUT


@given(st.text(max_size=400))
def test_any_text_has_a_reading_and_reading_it_twice_changes_nothing(text):
    classify(text)
    assert normalise(normalise(text)) == normalise(text)


def test_ten_thousand_characters_are_read_in_no_time():
    assert classify("s " * 5000).intent is NOTHING
    assert classify("stop " + "a" * 10_000).intent is REVIEW
