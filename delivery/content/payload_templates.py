"""Payload templates: `"Reminder: {bill_name} due {due_date} - ${amount}"`, where a brace pair names a variable.

Names only. `str.format` would also follow attributes and indexes (`{user.__class__}`), call conversions (`{x!r}`) and
fill widths (`{x:>999999999}`); none of that exists here. `{{` and `}}` stand for the braces themselves.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from core.errors import InvalidRequest, InvalidTemplate, MissingVariable
from delivery.content.clean_text import clean, refuse_broken
from delivery.signed_links import OwnLink

LONGEST_TEMPLATE = 10_000
"""Characters of one payload template, well above any text that can be sent."""

_PIECES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_JINJA = re.compile(r"(?<!\{)\{\{(?!\{)[^{}]*\}\}(?!\})")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_LARGEST_EXPONENT = 18
_ABSENT = object()


class PayloadTemplate:
    """A parsed template: texts with variables between them."""

    __slots__ = ("_pieces", "names")

    def __init__(self, text: str, field: str) -> None:
        self._pieces = _parse(clean(text), field)
        self.names = tuple(dict.fromkeys(self._pieces[1::2]))

    def fill(self, data: Mapping[str, Any], field: str) -> str:
        """The text with each variable's value; MissingVariable or InvalidRequest naming the variable."""
        pieces = list(self._pieces)
        for place in range(1, len(pieces), 2):
            name = pieces[place]
            value = data.get(name, _ABSENT)
            if value is _ABSENT:
                raise MissingVariable(f"{field}.{name}", "is named by the template but not given")
            pieces[place] = clean(value) if type(value) is str else text_of(value, f"{field}.{name}")
        return "".join(pieces)


def substitute(
    template: str, data: Mapping[str, Any], *, field: str = "template", data_field: str = "data"
) -> str:
    """`template` with its variables from `data`; InvalidTemplate, MissingVariable or InvalidRequest name the part."""
    return parsed(template, field=field).fill(data, data_field)


def parsed(template: str, *, field: str = "template") -> PayloadTemplate:
    """The parsed template, cached by its text; InvalidTemplate says what it may not hold."""
    if not isinstance(template, str):
        raise InvalidTemplate(field, f"must be a text, not {type(template).__name__}")
    if len(template) > LONGEST_TEMPLATE:
        raise InvalidTemplate(field, f"has {len(template)} characters; at most {LONGEST_TEMPLATE} are taken")
    return _parsed(template, field)


@lru_cache(maxsize=512)
def _parsed(template: str, field: str) -> PayloadTemplate:
    refuse_broken(field, template, InvalidTemplate)
    return PayloadTemplate(template, field)


def text_of(value: Any, field: str) -> str:
    """A value as it stands in a text; InvalidRequest for anything but text, number, yes/no or date."""
    write = _WRITERS.get(type(value))
    if write is None:
        raise InvalidRequest(field, f"must be a text, number, yes/no or date, not {type(value).__name__}")
    try:
        return write(value)
    except (ValueError, OverflowError):
        raise InvalidRequest(field, "is no finite number of usual size") from None


def _parse(template: str, field: str) -> list[str]:
    """Texts at even places, variable names at odd ones."""
    if jinja := _JINJA.search(template):
        raise InvalidTemplate(
            field,
            f"{jinja.group()[:40]} is not allowed: one pair of braces names a variable, e.g. {{amount}}",
        )
    pieces, text, end = [], [], 0
    for found in _PIECES.finditer(template):
        text.append(template[end : found.start()])
        end = found.end()
        piece, name = found.group(), found.group(1)
        if piece in {"{{", "}}"}:
            text.append(piece[0])
        elif name is None:
            raise InvalidTemplate(
                field, f"has a lone {piece} at character {found.start() + 1}: write {piece * 2} for the sign"
            )
        elif _NAME.fullmatch(name):
            pieces += ["".join(text), name]
            text = []
        else:
            raise InvalidTemplate(
                field, f"{{{name[:40]}}} is not allowed: braces may only name a variable, e.g. {{amount}}"
            )
    return [*pieces, "".join([*text, template[end:]])]


def _whole(value: int) -> str:
    if abs(value) >= 10**_LARGEST_EXPONENT:
        raise OverflowError
    return str(value)


def _decimal(value: Decimal) -> str:
    if not value.is_finite() or abs(value.adjusted()) > _LARGEST_EXPONENT:
        raise OverflowError
    return f"{value:f}"


def _float(value: float) -> str:
    return _decimal(Decimal(repr(value)))


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    str: clean,
    int: _whole,
    float: _float,
    Decimal: _decimal,
    bool: _yes_no,
    date: date.isoformat,
    OwnLink: str,
}
"""Exact types: a subclass (a datetime without its zone, an enum, a lazy string) is for the caller to spell out."""
