"""Money, dates and numbers in the recipient's language, exactly as CLDR (Babel) writes them.

Babel needs some 15 µs for one amount. Most locales write numbers in one simple way (groups of three, Latin digits), so
that way is learned from Babel once per locale and currency and repeated in about 1 µs; the others go through Babel.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

from delivery.content.safe_links import link
from delivery.signed_links import OwnLink

_SAMPLE = Decimal("1234567.89")
_DEFAULT = "en_US"
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,6})?")


@lru_cache(maxsize=64)
def localisation(tag: str) -> "Localisation":
    """The localisation of a locale tag such as `en_US` or `es-MX`; an unknown one is written as US English."""
    from babel import Locale, UnknownLocaleError

    try:
        return Localisation(Locale.parse(tag.replace("-", "_")))
    except (UnknownLocaleError, ValueError):
        return Localisation(Locale.parse(_DEFAULT))


class Localisation:
    """Filters bound to one locale; a value that is no amount or date is shown as it was given."""

    def __init__(self, locale: Any) -> None:
        self.locale = locale
        self._writers: dict[str, Callable[[Decimal], str]] = {}
        # One value stands in the subject, the HTML and the text of a mail; due dates are shared by many mails.
        self.day = lru_cache(maxsize=4096)(self._day)
        self.month = lru_cache(maxsize=256)(self._month)
        self.money = lru_cache(maxsize=4096, typed=True)(self._money)

    def filters(self) -> Mapping[str, Callable[..., Any]]:
        """The filters by the names that templates use."""
        return {
            "money": self.money,
            "day": self.day,
            "month": self.month,
            "percent": self.percent,
            "share": _share,
            "link": _link,
            "lines": _lines,
        }

    def _money(self, value: Any, currency: str = "USD") -> str:
        """`1200.00` as `$1,200.00`, rounded half to even to the currency's digits."""
        amount = _amount(value)
        if amount is None:
            return str(value)
        try:
            write = self._writers[currency]
        except KeyError:
            write = self._writers[currency] = self._writer(currency)
        return write(amount)

    def _month(self, value: Any) -> str:
        """`2025-01` as `January 2025`."""
        from babel.dates import format_skeleton

        found = _MONTH.fullmatch(str(value))
        if found is None or not 1 <= int(found[2]) <= 12:
            return str(value)
        return str(format_skeleton("yMMMM", date(int(found[1]), int(found[2]), 1), locale=self.locale))

    def percent(self, value: Any) -> str:
        """`0.42` as `42%`."""
        from babel.numbers import format_percent

        amount = _amount(value)
        return str(value) if amount is None else str(format_percent(amount, locale=self.locale))

    def _day(self, value: Any) -> str:
        """`2025-02-01` (or a date) as `February 1, 2025`."""
        from babel.dates import format_date

        if not isinstance(value, date):
            try:
                value = date.fromisoformat(value)
            except (TypeError, ValueError):
                return str(value)
        return str(format_date(value, format="long", locale=self.locale))

    def _writer(self, currency: str) -> Callable[[Decimal], str]:
        from babel.numbers import format_currency, get_currency_precision

        def through_babel(amount: Decimal) -> str:
            return str(format_currency(amount, currency, locale=self.locale))

        digits = get_currency_precision(currency)
        spec = f",.{digits}f"
        plain = format(_round(_SAMPLE, digits), spec)
        positive, negative = through_babel(_SAMPLE), through_babel(-_SAMPLE)
        shape = re.fullmatch(r"(\D*)1(\D)234(\D)56[78](?:(\D)\d+)?(\D*)", positive)
        if shape is None or shape[2] != shape[3]:
            return through_babel
        signs = str.maketrans({",": shape[2], ".": shape[4] or "."})
        core = plain.translate(signs)
        before, after = positive.split(core, 1) if core in positive else ("", "")
        minus_before, minus_after = negative.split(core, 1) if core in negative else ("", "")
        if f"{before}{core}{after}" != positive or f"{minus_before}{core}{minus_after}" != negative:
            return through_babel
        # Some locales (es, pl, pt_PT) leave four digits ungrouped.
        if through_babel(Decimal(1234)) != before + format(Decimal(1234), spec).translate(signs) + after:
            return through_babel

        def learned(amount: Decimal) -> str:
            text = format(_round(amount, digits), spec)
            if text[0] == "-":
                return f"{minus_before}{text[1:].translate(signs)}{minus_after}"
            return f"{before}{text.translate(signs)}{after}"

        return learned


def _round(amount: Decimal, digits: int) -> Decimal:
    return round(amount, digits)


def _amount(value: Any) -> Decimal | None:
    """The value as a Decimal, or None when it is no number of usual size."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value if value.is_finite() and abs(value.adjusted()) <= 15 else None
    if isinstance(value, int | float):
        value = repr(value)
    return Decimal(value) if isinstance(value, str) and _AMOUNT.fullmatch(value) else None


def _share(value: Any, whole: Any = 100) -> int:
    """How much of the whole, in percent from 1 to 100, for the width of a bar."""
    part, total = _amount(value), _amount(whole)
    return min(100, max(1, int(part * 100 / total))) if part and total else 1


def _link(value: Any) -> str:
    if type(value) is OwnLink:
        return value
    return link("link", str(value))


def _lines(value: Any) -> Markup:
    """Text with its line breaks, for HTML."""
    safe = escape(value)
    return safe.replace("\n", Markup("<br>")) if "\n" in safe else safe
