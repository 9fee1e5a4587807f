"""Payload templates name variables, and nothing else is possible in them."""

import contextlib
import time
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidRequest, InvalidTemplate, MingusError, MissingVariable
from delivery.content import substitute

RENT = {"bill_name": "Rent", "due_date": "2025-02-01", "amount": Decimal("1200.00")}


def test_maya_is_reminded_of_her_rent_as_the_specification_writes_it():
    text = substitute("Reminder: {bill_name} due {due_date} - ${amount}", RENT)
    assert text == "Reminder: Rent due 2025-02-01 - $1200.00"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a {{ b", "a { b"),
        ("a }} b {{ c", "a } b { c"),
        ("{{{bill_name}}}", "{Rent}"),
        ("{bill_name}{bill_name}", "RentRent"),
        ("100 % of {bill_name} %s %(x)s $amount", "100 % of Rent %s %(x)s $amount"),
    ],
)
def test_braces_and_other_signs(template, text):
    assert substitute(template, RENT) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Ünal", "Ünal"),
        (12, "12"),
        (-3, "-3"),
        (True, "yes"),
        (False, "no"),
        (1200.5, "1200.5"),
        (1e-7, "0.0000001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        (date(2025, 2, 1), "2025-02-01"),
        ("{amount}", "{amount}"),
        ("two\nlines", "two\nlines"),
        ("\u202eabc\u200b", "abc"),
    ],
)
def test_values_stand_as_people_write_them_and_are_never_templates_themselves(value, text):
    assert substitute("{x}", {"x": value}) == text


@pytest.mark.parametrize(
    "template",
    [
        "{user.__class__}", "{user.__class__.__mro__[1]}", "{items[0]}", "{0}", "{0:>999999999}", "{}", "{x!r}",
        "{x:>10}", "{x:{y}}", "{ x }", "{x\n}", "{_x}", "{__class__}", "{x-y}", "{x()}", "{é}", "{x", "x}", "}{",
        "{" + "x" * 65 + "}", "{x.}", "{{{x}}", "{%x%}",
        "{{x}}", "{{ x }}", '{{ "x"*10**9 }}', "{{ x.__class__ }}", "a {{x}} b {y}", "{#x#}",
    ],
)  # fmt: skip
def test_anything_but_a_name_between_braces_is_refused(template):
    with pytest.raises(InvalidTemplate) as refused:
        substitute(template, {"x": "1", "y": 2, "user": "maya"}, field="alert_data.template")
    assert refused.value.field == "alert_data.template"


def test_a_missing_variable_is_named():
    with pytest.raises(MissingVariable, match=r"payment_data\.due_date"):
        substitute("{bill_name} {due_date}", {"bill_name": "Rent"}, data_field="payment_data")


@pytest.mark.parametrize(
    "value",
    [
        None, object(), [1], {"a": 1}, b"bytes", float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity"),
        pytest.param(10**5000, id="a huge number"), 1e300, Decimal("1E+999999"), Decimal("1E-999999"), datetime(2025, 1, 1, tzinfo=UTC), 1j, print,
    ],
)  # fmt: skip
def test_values_that_are_no_text_number_or_date_are_refused_with_their_name(value):
    with pytest.raises(InvalidRequest, match=r"data\.x"):
        substitute("{x}", {"x": value})


def test_ten_thousand_characters_are_taken_and_one_more_is_not():
    assert substitute("x" * 10_000, {}) == "x" * 10_000
    with pytest.raises(InvalidTemplate, match="10001 characters"):
        substitute("x" * 10_001, {})


def test_text_that_was_lost_before_it_came_to_us_is_refused():
    with pytest.raises(InvalidTemplate, match="U\\+FFFD"):
        substitute("Well done \ufffd", {})


@pytest.mark.parametrize(
    "template", ["{" * 10_000, "}" * 9_999, "{a}" * 3_333, "{" + "a" * 9_000, "{{" * 5_000]
)
def test_no_template_takes_long(template):
    began = time.perf_counter()
    with contextlib.suppress(MingusError):
        substitute(template, {"a": "b"})
    assert time.perf_counter() - began < 20  # it ends, whatever is given


@given(st.text(alphabet=st.characters() | st.sampled_from("{}{}{}_.![]:%0a"), max_size=200))
def test_every_text_is_a_template_or_is_refused_as_one(template):
    with contextlib.suppress(InvalidRequest):
        assert isinstance(substitute(template, {"a": "A", "name": "Maya"}), str)


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), st.integers(-999, 999), min_size=1)
)
def test_what_is_put_in_is_read_back(data):
    template = "|".join(f"{{{name}}}" for name in data)
    assert substitute(template, data).split("|") == [str(value) for value in data.values()]
