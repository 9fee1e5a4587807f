"""Text that may be shown to a person: no invisible tricks, no control signs, no UTF-8 that was decoded twice.

Mojibake is mended, not refused: a critical alert should not be lost because an editor garbled its emoji. Only runs
that decode strictly, and to signs that such runs usually are, are touched. What can't be mended (U+FFFD: the text is
already lost) is refused at the door by `refuse_broken`, where the caller can still mend it.
"""

import re

from core.errors import InvalidRequest

# The characters that bytes 0x80–0xBF become when they are read as Windows-1252 (or Latin-1, for the five undefined).
_BYTES = {
    char: byte
    for byte in range(0x80, 0x100)
    for char in (bytes([byte]).decode("cp1252", errors="ignore"), bytes([byte]).decode("latin-1"))
    if char
}
_TAIL = "[" + "".join(re.escape(char) for char, byte in _BYTES.items() if byte < 0xC0) + "]"
_CLOSING = "‘’“”«»–—…"
_MOJIBAKE = re.compile(
    f"ð[Ÿ\x9f]{_TAIL}{_TAIL}"  # U+1F000–1FFFF: emoji
    f"|â{_TAIL}{_TAIL}"  # U+2000–2FFF: quotes, dashes, signs
    f"|ï[¸»]{_TAIL}"  # U+FE0F, U+FEFF
    f"|[ÂÃ]{_TAIL}"  # U+0080–00FF: accented letters
    "|Å[¸½¾¡]|(?<=[¢-¿ƒ€])Å[’“]|Ë[†œ]"  # Ÿ Ž ž š Œ œ ˆ ˜, which stand in text that was garbled twice
)
_LIKELY = re.compile(
    "[\u0080-\u00ff\u0152-\u017e\u02c6\u02dc\u2010-\u205f\u20a0-\u20bf\u2100-\u27bf\u2b00-\u2bff\ufe0f\ufeff\U0001f000-\U0001ffff]"
)

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffd\ud800-\udfff\U000e0000-\U000e0fff]"
)
_JOINERS = re.compile(
    "(?<![\u0590-\u1fff\u2190-\U000fffff])[\u200c\u200d]+|[\u200c\u200d]+(?![\u0590-\u1fff\u2190-\U000fffff])"
)
_BREAKS = re.compile("[\r\n\v\f\x85\u2028\u2029\t]+")


def clean(text: str) -> str:
    """The text without control, zero-width and direction signs (joiners stay inside emoji and scripts), mended."""
    if text.isascii() and text.isprintable():
        return text
    while (
        True
    ):  # a sign that goes may leave a garbled pair behind; each round but the last one shortens the text
        mended = mend(text).replace("\r\n", "\n").replace("\r", "\n")
        bare = _JOINERS.sub("", _INVISIBLE.sub("", mended))
        if bare == text:
            return bare
        text = bare


def one_line(text: str) -> str:
    """`clean` text on one line, for subjects and names."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return _BREAKS.sub(" ", clean(text)).strip()


def mend(text: str) -> str:
    """UTF-8 that was read as Windows-1252 read rightly, e.g. `ðŸŽ‰` as 🎉; all other text as it is."""
    for _ in range(3):  # some texts were garbled more than once
        if text.isascii():
            return text
        mended = _MOJIBAKE.sub(_read_again, text)
        if mended == text:
            return text
        text = mended
    return text


def _read_again(found: re.Match[str]) -> str:
    run = found.group()
    before = found.string[found.start() - 1 : found.start()]
    if len(run) == 2 and run[1] in _CLOSING and before.isupper():
        return run  # “AMANHÔ is a word in quotes, not a garbled letter
    try:
        read = bytes(_BYTES[char] for char in run).decode("utf-8")
    except UnicodeDecodeError:
        return run
    return read if _LIKELY.fullmatch(read) else run


def refuse_broken(field: str, text: str, error: type[InvalidRequest] = InvalidRequest) -> None:
    """An `error` when `text` holds NUL, a lone surrogate or U+FFFD: its content is lost and can't be mended here."""
    if text.isascii():
        if "\0" not in text:
            return
    elif not re.search("[\0\ufffd\ud800-\udfff]", text):
        return
    raise error(field, "holds NUL, a lone surrogate or U+FFFD: read the text as UTF-8 and give it again")


def header_value(field: str, text: str) -> str:
    """`text` when it may stand in a header; InvalidRequest for CR, LF or NUL, by which headers are forged."""
    if "\n" in text or "\r" in text or "\0" in text:
        raise InvalidRequest(field, "must be one line without CR, LF or NUL")
    return text
