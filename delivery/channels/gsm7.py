"""GSM 03.38: which characters a 7-bit text may hold, what a text costs in segments, and how to keep it cheap.

A text in GSM-7 has 160 septets, or 153 per part; one character outside of it makes the whole text UCS-2 with 70
UTF-16 units, or 67 per part. A curly quote out of a word processor doubles the bill.
"""

import re
import unicodedata
from enum import StrEnum

from core.values import value

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")
"""Two septets each: an escape and the character, which may not be parted."""

_ALPHABET = BASIC | EXTENSION
_all_basic = re.compile(f"[{re.escape(''.join(sorted(BASIC)))}]*").fullmatch
"""Most texts hold nothing else: one pass in C, a third of the price of asking the sets."""

CHEAPER = str.maketrans(
    dict.fromkeys("‘’‚‛′‵`´ʹʻʼˈ‹›", "'")
    | dict.fromkeys("“”„‟″‶«»", '"')
    | dict.fromkeys("‐‑‒–—―−﹣－", "-")
    | dict.fromkeys(
        "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
        " ",
    )
    | dict.fromkeys("\u2028\u2029\u0085\u000b", "\n")
    | dict.fromkeys("•‣·∙●▪", "-")
    | {
        "…": "...",
        "⁄": "/",
        "∕": "/",
        "×": "x",
        "＋": "+",
        "％": "%",
        "＄": "$",
        "！": "!",
        "？": "?",
        "：": ":",
    }
    | {"™": "(TM)", "®": "(R)", "©": "(C)", "½": "1/2", "¼": "1/4", "¾": "3/4"}
)
"""Signs that mean the same in GSM-7; letters are never touched (a name is not ours to respell)."""


class Encoding(StrEnum):
    """How the network carries the text."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


@value(frozen=True, slots=True)
class SegmentCount:
    """`units` are septets or UTF-16 units; `segments` is what is billed."""

    encoding: Encoding
    units: int
    segments: int


def is_gsm7(text: str) -> bool:
    """True when every character is in the default alphabet or its extension."""
    return _all_basic(text) is not None or _ALPHABET.issuperset(text)


def cheapest(text: str, room: int) -> str:
    """The text composed (NFC), with typographic signs replaced by plain ones where that saves and fits in `room`."""
    if is_gsm7(text):
        return text
    composed = unicodedata.normalize("NFC", text)
    plain = composed.translate(CHEAPER)
    if not is_gsm7(plain) or len(plain) > room:
        return composed
    return plain if segments(plain).segments <= segments(composed).segments else composed


def segments(text: str) -> SegmentCount:
    """What `text` costs, as Twilio counts it: GSM-7 160/153 septets, UCS-2 70/67 UTF-16 units, no pair parted."""
    if _all_basic(text):
        units = len(text)
        return SegmentCount(Encoding.GSM7, units, 1 if units <= 160 else -(-units // 153))
    if _ALPHABET.issuperset(text):
        units = len(text) + sum(map(text.count, EXTENSION))
        parts = 1 if units <= 160 else _parts([1 + (c in EXTENSION) for c in text], 153)
        return SegmentCount(Encoding.GSM7, units, parts)
    units = len(text.encode("utf-16-le", errors="surrogatepass")) // 2
    doubles = units - len(text)
    if units <= 70:
        return SegmentCount(Encoding.UCS2, units, 1)
    parts = -(-units // 67) if not doubles else _parts([1 + (c > "\uffff") for c in text], 67)
    return SegmentCount(Encoding.UCS2, units, parts)


def _parts(widths: list[int], room: int) -> int:
    """How many parts of `room` units hold the characters in order, none of them parted."""
    parts, used = 1, 0
    for width in widths:
        if used + width > room:
            parts, used = parts + 1, 0
        used += width
    return parts
