"""Money and dates as CLDR writes them, whichever way they are made."""

from datetime import date
from decimal import Decimal

import pytest
from babel.dates import format_date
from babel.numbers import format_currency
from hypothesis import given
from hypothesis import strategies as st

from delivery.content.localisation import localisation

LOCALES = ["en_US", "en-GB", "es_US", "es_ES", "es_MX", "fr_FR", "de_DE", "de_CH", "pt_BR", "pt_PT", "it_IT", "pl_PL", "hi_IN",
           "ar_EG", "fa_IR", "ja_JP", "zh_CN", "ko_KR", "vi_VN", "ru_RU", "sv_SE", "he_IL", "nl_NL", "tr_TR", "bn_BD"]  # fmt: skip


@given(
    st.sampled_from(LOCALES),
    st.sampled_from(["USD", "EUR", "JPY", "GBP", "KWD", "MXN", "XXX"]),
    st.decimals(-(10**12), 10**12, places=4) | st.integers(-(10**12), 10**12),
)
def test_money_is_written_exactly_as_babel_writes_it(locale, currency, amount):
    expected = format_currency(Decimal(amount), currency, locale=locale.replace("-", "_"))
    assert localisation(locale).money(amount, currency) == expected


@pytest.mark.parametrize(
    "amount", ["0", "-0.001", "0.005", "0.015", "-0.5", "999.995", "1000", "999999.999", "12"]
)
@pytest.mark.parametrize("locale", LOCALES)
def test_money_at_the_edges_of_rounding(locale, amount):
    expected = format_currency(Decimal(amount), "USD", locale=locale.replace("-", "_"))
    assert localisation(locale).money(amount) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(1200, "$1,200.00"), (1200.5, "$1,200.50"), ("-182.40", "-$182.40"), ("about 20", "about 20"), ("", ""), ("$5", "$5"),
     ("1e9", "1e9"), ("9" * 40, "9" * 40), (True, "True"), (Decimal("NaN"), "NaN")],
)  # fmt: skip
def test_money_that_is_no_number_is_shown_as_it_was_given(value, text):
    assert localisation("en_US").money(value) == text


def test_one_and_true_are_not_the_same_amount():
    assert (localisation("en_US").money(1), localisation("en_US").money(True)) == ("$1.00", "True")


@pytest.mark.parametrize("locale", LOCALES)
def test_days_are_written_in_the_readers_language(locale):
    expected = format_date(date(2025, 2, 1), format="long", locale=locale.replace("-", "_"))
    assert localisation(locale).day("2025-02-01") == localisation(locale).day(date(2025, 2, 1)) == expected


@pytest.mark.parametrize("value", ["tomorrow", "2025-13-01", "01/02/2025", ""])
def test_a_day_that_is_no_iso_date_is_shown_as_it_was_given(value):
    assert localisation("en_US").day(value) == value


@pytest.mark.parametrize(
    ("locale", "text"),
    [("en_US", "January 2025"), ("es_US", "enero de 2025"), ("de_DE", "Januar 2025")],
)
def test_months(locale, text):
    assert localisation(locale).month("2025-01") == text
    assert localisation(locale).month("2025-13") == "2025-13"


@pytest.mark.parametrize("tag", ["", "zz", "xx_YY", "../../etc/passwd", "en_US_POSIX_x_y_z", "😀", "e" * 500])
def test_an_unknown_locale_is_us_english(tag):
    assert localisation(tag).money(5) == "$5.00"


@pytest.mark.parametrize(
    ("part", "whole", "share"), [(1, 5, 20), (5, 5, 100), (9, 5, 100), (0, 5, 1), ("x", 5, 1), (1, 0, 1)]
)
def test_the_width_of_a_bar_lies_between_1_and_100(part, whole, share):
    assert localisation("en_US").filters()["share"](part, whole) == share
