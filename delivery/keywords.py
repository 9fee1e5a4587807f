"""What a person's reply to a text means: stop, start again, help, or a case for a human.

Revocation counts by any reasonable means (FCC, 47 CFR 64.1200(a)(10), in force since 2025-04-11): the words of the
carriers' and the FCC's lists are honoured as they stand, clear phrases too, and what may be a wish to stop but is not
clearly one goes to the review list. Tricks of writing (full width, zero width, emoji, accents, look-alike letters,
`S.T.O.P`) change nothing.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum


class Intent(StrEnum):
    """What a reply asks of us."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"
    REVIEW = "review"
    NOTHING = "nothing"


class RevocationScope(StrEnum):
    """What a STOP ends: the programme it answers, or everything that this sender texts."""

    PROGRAMME = "programme"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Reading:
    """The intent, the table's word or phrase that showed it, and whether the person said "all" themselves."""

    intent: Intent
    matched: str = ""
    says_all: bool = False


REVOKE_ALL_SINCE = date(2027, 1, 31)
"""From this day on one STOP ends all texts of the sender (FCC, waiver of 64.1200(a)(10) until then)."""

OPT_OUT_WORDS = frozenset({
    "stop", "stopall", "stop all", "unsubscribe", "unsubscribe all", "cancel", "cancel all", "end", "quit", "revoke",
    "revoke all", "optout", "opt out", "remove", "arret", "alto", "parar",
})  # fmt: skip
"""The whole message, apart from courtesies."""

OPT_OUT_PHRASES = (
    "stop texting", "stop texts", "stop the texts", "stop these texts", "stop all texts", "stop messaging",
    "stop messages", "stop the messages", "stop these messages", "stop all messages", "stop sending", "stop contacting",
    "quit texting", "quit sending", "do not text", "do not message", "do not contact", "do not send", "dont text",
    "dont message", "dont contact", "dont send", "never text", "never contact", "no more texts", "no more messages",
    "remove me", "remove my number", "delete my number", "take me off", "unsubscribe me", "opt me out",
    "opt out of", "want to opt out", "want to unsubscribe", "revoke my consent", "withdraw my consent",
    "leave me alone", "cancel these texts", "cancel texts", "cancel messages",
)  # fmt: skip
"""Anywhere in the message, at the bounds of words, unless the message also turns them around."""

OPT_IN_WORDS = frozenset({"start", "unstop"})
YES_WORDS = frozenset({"yes", "y", "si", "oui"})
"""An opt-in only where a question about it was open; see `classify`."""

HELP_WORDS = frozenset({"help", "help me", "info"})

ALL_WORDS = frozenset({"all", "everything", "stopall"})
REVERSALS = (
    "dont stop", "do not stop", "not stop", "never stop", "dont remove", "do not remove", "dont cancel", "do not cancel",
    "dont unsubscribe", "do not unsubscribe", "dont take me off", "do not take me off",
)  # fmt: skip

REVIEW_WORDS = frozenset(
    {
        "stop",
        "unsubscribe",
        "cancel",
        "quit",
        "revoke",
        "optout",
        "remove",
        "spam",
        "harassment",
        "lawyer",
        "sue",
    }
)
REVIEW_PHRASES = (
    "opt out",
    "wrong number",
    "wrong person",
    "who is this",
    "how did you get",
    "start texting",
    "opt in",
)
REVIEW_SIGNS = frozenset("🛑✋🚫⛔🖕")

COURTESIES = frozenset(
    {"please", "pls", "plz", "thanks", "thank", "you", "thx", "now", "ok", "okay", "hi", "hello", "hey", "just", "sir", "it"}
)  # fmt: skip

LOOK_ALIKES: Mapping[int, int] = str.maketrans(
    "аеорсухіјѕԁԛԝӏкмтвнαορτυικνχεβøłđı",
    "aeopcyxijsdqwlkmtbhaoptuikvxeboldi",
)
"""Cyrillic, Greek and barred small letters that pass for Latin ones."""

BLANKS = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters by category that show nothing."""

DIGIT_LETTERS: Mapping[int, int] = str.maketrans("0135", "oles")

LONGEST = 1_600
"""What one SMS can hold; the rest of anything longer is not read."""


def classify(text: str, *, opt_in_open: bool = False) -> Reading:
    """What the reply `text` means; YES is an opt-in only with `opt_in_open`, else it answers something else."""
    words = normalise(text).split()
    said = [word for word in words if word not in COURTESIES] or words
    bare = " ".join(word for word, before in zip(said, ["", *said], strict=False) if word != before)
    says_all = not ALL_WORDS.isdisjoint(words)
    if bare in OPT_OUT_WORDS:
        return Reading(Intent.OPT_OUT, bare, says_all)
    if bare in OPT_IN_WORDS or (opt_in_open and bare in YES_WORDS):
        return Reading(Intent.OPT_IN, bare)
    if bare in HELP_WORDS:
        return Reading(Intent.HELP, bare)
    whole = f" {' '.join(words)} "
    reversed_by = _first(REVERSALS, whole)
    phrase = _first(OPT_OUT_PHRASES, whole)
    if phrase and not reversed_by:
        return Reading(Intent.OPT_OUT, phrase, says_all)
    doubtful = reversed_by or phrase or _first(REVIEW_PHRASES, whole) or _doubtful_word(words, text)
    return Reading(Intent.REVIEW, doubtful) if doubtful else Reading(Intent.NOTHING)


def revocation_scope(reading: Reading, at: datetime) -> RevocationScope:
    """How far an opt-out read at `at` goes: everything if the person said so, or once the law says so."""
    if reading.says_all or at.astimezone(UTC).date() >= REVOKE_ALL_SINCE:
        return RevocationScope.EVERYTHING
    return RevocationScope.PROGRAMME


def normalise(text: str) -> str:
    """Lower-case Latin words with single spaces: no accents, marks, emoji, invisible or look-alike characters."""
    # Marks go before the case does: folding turns some of them into letters.
    kept = "".join(_plain(character) for character in unicodedata.normalize("NFKD", text[:LONGEST]))
    kept = kept.casefold().translate(LOOK_ALIKES)
    words = [_without_digit_letters(word) for word in kept.split()]
    return re.sub(r"\b(?:\w )+\w\b", _joined, " ".join(words))


def _plain(character: str) -> str:
    """The character, a space for what parts words, nothing for what only decorates them."""
    if character.isascii() and character.isalnum():
        return character
    category = unicodedata.category(character)
    if character in "'’‘`´ʼ" or character in BLANKS or category in ("Mn", "Me", "Cf"):
        return ""
    if category == "So":  # 🆂, 🇸 and other letters in a box
        boxed = re.search(r" LETTER ([A-Z])$", unicodedata.name(character, ""))
        return boxed[1].lower() if boxed else " "
    return character if category[0] in "LN" else " "


def _without_digit_letters(word: str) -> str:
    """`st0p` → `stop`; numbers stay numbers."""
    return word.translate(DIGIT_LETTERS) if not word.isdigit() and not word.isalpha() else word


def _joined(spelt: re.Match[str]) -> str:
    """`s t o p` → `stop`, but not `i a`: only where the letters make a word that we know."""
    word = spelt.group().replace(" ", "")
    return word if word in OPT_OUT_WORDS | OPT_IN_WORDS | HELP_WORDS else spelt.group()


def _first(phrases: tuple[str, ...], whole: str) -> str:
    return next((phrase for phrase in phrases if f" {phrase} " in whole), "")


def _doubtful_word(words: list[str], text: str) -> str:
    found = next((word for word in words if word in REVIEW_WORDS), "")
    if found:
        return found
    if (
        len(words) == 1
        and len(words[0]) > 2
        and any(_nearly(words[0], word) for word in ("stop", "unsubscribe"))
    ):
        return words[0]
    return next((sign for sign in REVIEW_SIGNS if sign in text), "")


def _nearly(typed: str, word: str) -> bool:
    """One letter missing, wrong or too many, or two swapped."""
    if sorted(typed) == sorted(word):
        return True
    shorter, longer = sorted((typed, word), key=len)
    if len(longer) - len(shorter) > 1:
        return False
    if len(longer) == len(shorter):
        return sum(a != b for a, b in zip(typed, word, strict=True)) <= 1
    return any(longer[:cut] + longer[cut + 1 :] == shorter for cut in range(len(longer)))
