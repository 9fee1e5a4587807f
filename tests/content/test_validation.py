"""What `.delay()` is given is checked whole, so that a worker never meets a payload that it can't render."""

import base64
from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidRequest, InvalidTemplate, MissingVariable
from core.vocabulary import Channel
from delivery.catalog import catalog, message_type
from delivery.content import Person, render, validate_payload
from tests.content.for_maya import request_of

RENT = {"bill_name": "Rent", "due_date": "2025-02-01", "amount": "1200.00"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n....").decode()


@pytest.mark.parametrize("name", catalog())
def test_the_specifications_examples_pass(name):
    validate_payload(message_type(name), message_type(name).example)


@pytest.mark.parametrize(
    "payload",
    [
        RENT,
        RENT | {"amount": 1200},
        RENT | {"amount": Decimal("1200.00"), "due_date": date(2025, 2, 1)},
        RENT | {"amount": "$1,200.00", "due_date": "tomorrow"},
        {"template": "Pay {bill_name}!", "bill_name": "rent"},
        {"template": "Hi {name} / {first_name}"},
        {"template": "Pay!", "subject": "{x} is due", "x": "Rent", "urgent": True, "tries": 3},
        RENT | {"action_url": "https://mingus.example/bills", "currency": "EUR"},
        {"template": "{message}" * 3, "message": "x" * 500},
    ],
)
def test_good_payloads_pass(payload):
    validate_payload(message_type("payment_reminder"), payload)


@pytest.mark.parametrize(
    ("payload", "field", "error"),
    [
        (None, "payment_data", InvalidRequest),
        ("text", "payment_data", InvalidRequest),
        ([RENT], "payment_data", InvalidRequest),
        ({}, "payment_data.bill_name", InvalidRequest),
        ({"bill_name": "Rent", "due_date": "2025-02-01"}, "payment_data.amount", InvalidRequest),
        (RENT | {"amount": "a lot"}, "payment_data.amount", InvalidRequest),
        (RENT | {"amount": True}, "payment_data.amount", InvalidRequest),
        (RENT | {"amount": [1]}, "payment_data.amount", InvalidRequest),
        (RENT | {"amount": float("nan")}, "payment_data.amount", InvalidRequest),
        (RENT | {"due_date": 20250201}, "payment_data.due_date", InvalidRequest),
        (RENT | {"bill_name": " "}, "payment_data.bill_name", InvalidRequest),
        (RENT | {"bill_name": None}, "payment_data.bill_name", InvalidRequest),
        (RENT | {"bill_name": "a\0b"}, "payment_data.bill_name", InvalidRequest),
        (RENT | {"bill_name": "\ud83c"}, "payment_data.bill_name", InvalidRequest),
        (RENT | {"note": {"a": 1}}, "payment_data.note", InvalidRequest),
        (RENT | {"note": object()}, "payment_data.note", InvalidRequest),
        (RENT | {"note": b"bytes"}, "payment_data.note", InvalidRequest),
        (RENT | {"note": 10**40}, "payment_data.note", InvalidRequest),
        (RENT | {"a b": "c"}, "payment_data", InvalidRequest),
        (RENT | {"__class__": "c"}, "payment_data", InvalidRequest),
        (RENT | {1: "c"}, "payment_data", InvalidRequest),
        (RENT | {"currency": "dollars"}, "payment_data.currency", InvalidRequest),
        (RENT | {"action_url": "javascript:alert(1)"}, "payment_data.action_url", InvalidRequest),
        (RENT | {"action_url": 7}, "payment_data.action_url", InvalidRequest),
        (RENT | {"note": "x" * 70_000}, "payment_data", InvalidRequest),
        (RENT | {"bill_name": "x" * 1_600}, "payment_data", InvalidRequest),
        (RENT | {"subject": "Rent\r\nBcc: all@mail.example"}, "payment_data.subject", InvalidRequest),
        (RENT | {"subject": " "}, "payment_data.subject", InvalidRequest),
        (RENT | {"subject": "{gone}"}, "payment_data.gone", MissingVariable),
        ({"template": ""}, "payment_data.template", InvalidRequest),
        ({"template": "\u200b \n"}, "payment_data.template", InvalidRequest),
        ({"template": 7}, "payment_data.template", InvalidTemplate),
        ({"template": None}, "payment_data.template", InvalidTemplate),
        ({"template": "x" * 10_001}, "payment_data.template", InvalidTemplate),
        ({"template": "x" * 1_601}, "payment_data", InvalidRequest),
        ({"template": "{user.__class__}", "user": "maya"}, "payment_data.template", InvalidTemplate),
        ({"template": "{0:>999999999}"}, "payment_data.template", InvalidTemplate),
        ({"template": "Due {due_date}"}, "payment_data.due_date", MissingVariable),
        (RENT | {"attachments": [{"filename": "a.exe", "content_type": "application/pdf", "content": PNG}]},
         "payment_data.attachments[0].filename", InvalidRequest),
        (RENT | {"attachments": "a.pdf"}, "payment_data.attachments", InvalidRequest),
    ],
)  # fmt: skip
def test_bad_payloads_are_refused_with_the_field_that_is_wrong(payload, field, error):
    with pytest.raises(error) as refused:
        validate_payload(message_type("payment_reminder"), payload)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("given_fields", "field"),
    [
        ({"categories": [{"name": "Rent"}]}, "report_data.categories[0]"),
        ({"categories": "Rent"}, "report_data.categories"),
        ({"categories": [{"name": "Rent", "amount": []}]}, "report_data.categories[0].amount"),
        ({"insights": ["ok", None]}, "report_data.insights[1]"),
        ({"insights": ["x"] * 201}, "report_data.insights"),
        ({"charts": [{"content_id": "spending", "alt": "Spending"}]}, "report_data.charts[0].content_id"),
    ],
)
def test_lists_and_tables_of_a_report_are_checked_to_the_last_cell(given_fields, field):
    with pytest.raises(InvalidRequest) as refused:
        validate_payload(message_type("monthly_report"), {"month": "2025-01"} | given_fields)
    assert refused.value.field == field


@pytest.mark.parametrize("name", ["payment_reminder", "monthly_report"])
@pytest.mark.parametrize("variable", ["template", "subject", "attachments"])
def test_a_payloads_template_may_not_name_what_is_no_variable(name, variable):
    row = message_type(name)
    with pytest.raises(InvalidRequest):
        validate_payload(
            row, {**row.example, "subject": "Hi", "attachments": [], "template": f"{{{variable}}}"}
        )


def test_a_report_with_an_attached_chart_passes():
    chart = {
        "filename": "spending.png",
        "content_type": "image/png",
        "content": PNG,
        "content_id": "spending",
    }
    payload = {
        "month": "2025-01",
        "attachments": [chart],
        "charts": [{"content_id": "spending", "alt": "Spending"}],
    }
    validate_payload(message_type("monthly_report"), payload)
    message = render(request_of("monthly_report", payload=payload))
    assert 'src="cid:spending"' in message.html
    assert message.attachments[0].content.startswith(b"\x89PNG")


def test_attachments_do_not_count_towards_the_payloads_size():
    pdf = {"filename": "report.pdf", "content_type": "application/pdf",
           "content": base64.b64encode(b"%PDF-1.7" + bytes(200_000)).decode()}  # fmt: skip
    validate_payload(message_type("monthly_report"), {"month": "2025-01", "attachments": [pdf]})


words = st.text(max_size=30) | st.sampled_from(
    ["", "Rent", "2025-02-01", "12", "https://mingus.example", "{name}", "ðŸŽ‰"]
)
scalars = words | st.integers() | st.floats() | st.decimals() | st.booleans() | st.none() | st.dates()
names = st.sampled_from(
    sorted({field for row in catalog().values() for field in row.example} | {"template", "subject", "action_url", "currency",
           "name", "first_name", "amount", "categories", "insights", "brand", "unsubscribe_url", "today", "is_marketing"})
)  # fmt: skip
lists = st.lists(scalars | st.fixed_dictionaries({"name": scalars, "amount": scalars}), max_size=3)


@given(
    st.sampled_from(sorted(catalog())),
    st.dictionaries(names, scalars | lists, max_size=5),
    st.text(max_size=120),
    st.sampled_from(["en_US", "es_MX", "de", "ar_EG", "hi-IN", "zz", "", "../../etc"]),
)
def test_what_passes_the_door_is_rendered_on_every_channel_for_anybody(name, changes, person, locale):
    row = message_type(name)
    payload = {**row.example, **changes}
    with suppress(InvalidRequest):
        validate_payload(row, payload)
        for channel in row.channels:
            _renders(request_of(name, channel, payload=payload, person=Person(name=person, locale=locale)))


def _renders(request):
    try:
        message = render(request)
    except InvalidRequest as refused:
        raise AssertionError(f"passed the door, but was refused by the worker: {refused}") from refused
    message.body.encode()
    message.html.encode()
    assert message.body.strip()
    assert message.units >= 1
    assert bool(message.subject) == (request.channel is Channel.EMAIL)
