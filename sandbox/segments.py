"""How a text is cut into SMS segments: 3GPP TS 23.038 (alphabet) and 23.040 (concatenation)."""

from dataclasses import dataclass

GSM7_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_ESCAPED = frozenset("^{}\\[~]|€\f")  # an escape before each: two septets
GSM7_ALPHABET = GSM7_BASIC | GSM7_ESCAPED
SINGLE = {"GSM-7": 160, "UCS-2": 70}
PART = {"GSM-7": 153, "UCS-2": 67}  # the rest of each part is the concatenation header

# The part of Twilio's smart-encoding list that matters in prose: each of these alone turns a text to UCS-2.
SMART_ENCODING = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"',
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2026": "...",
        "\u00a0": " ", "\u2002": " ", "\u2003": " ", "\u2009": " ", "\u200b": "", "\ufeff": "",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segmentation:
    """An encoding (`GSM-7` or `UCS-2`) and the parts a text is sent in."""

    encoding: str
    parts: tuple[str, ...]

    @property
    def segments(self) -> int:
        """How many segments are billed; an empty text counts as one."""
        return len(self.parts)


def segment(text: str) -> Segmentation:
    """The segments of a text; a character of two units is never split over two parts."""
    if GSM7_ALPHABET.issuperset(text):
        encoding = "GSM-7"
        widths = [2 if character in GSM7_ESCAPED else 1 for character in text]
    else:
        encoding = "UCS-2"
        widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
    if sum(widths) <= SINGLE[encoding]:
        return Segmentation(encoding, (text,))
    cuts, room = [0], PART[encoding]
    for index, width in enumerate(widths):
        if width > room:
            cuts.append(index)
            room = PART[encoding]
        room -= width
    ends = [*cuts[1:], len(text)]
    return Segmentation(encoding, tuple(text[start:end] for start, end in zip(cuts, ends, strict=True)))
