"""Bad input of every kind is a typed error that names its field, at the door: nothing is stored, no provider is called."""

from collections.abc import Callable
from typing import Any

import pytest

from core.clock import utc_now
from core.database import transaction
from core.errors import InvalidAddress, InvalidRequest, InvalidTemplate, MissingVariable
from core.statements import rows
from delivery import Request, accept, deliver, generate_personalized_content
from delivery.catalog import catalog
from delivery.content.stored_templates import StoredTemplate, compiled
from delivery.people import add_people
from delivery.preference_form import parse
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("redis")


def reminder(**payload: Any) -> Callable[[], object]:
    example = dict(catalog()["payment_reminder"].example)
    return lambda: accept(
        Request(user_id="user_maya", message_type="payment_reminder", payload=example | payload)
    )


def lesson(**payload: Any) -> Callable[[], object]:
    return lambda: accept(
        Request(user_id="user_maya", message_type="educational_content", payload={"topic": "Tax"} | payload)
    )


def somebody(**given: Any) -> Callable[[], object]:
    def write_down() -> None:
        with transaction() as connection:
            add_people(connection, [person("Omar", 102, **given)])

    return write_down


def content(template: str, **data: Any) -> Callable[[], object]:
    return lambda: generate_personalized_content("user_maya", template, data)


def stored(source: str) -> Callable[[], object]:
    return lambda: compiled(StoredTemplate("row", 1, (("sms.txt", source),)), "sms.txt", "en_US")


def wishes(**form: str) -> Callable[[], object]:
    return lambda: parse(form, utc_now())


TRICKS = (
    "{user.__class__}", "{name.__class__.__mro__}", "{0}", "{0:>999999999}", "{name:>999999999}", "{name!r}", "{items[0]}",
    '{{ "x"*10**9 }}', "{% for i in range(10**9) %}x{% endfor %}", "{{ cycler.__init__.__globals__ }}", "{", "}",
)  # fmt: skip

BAD = [  # what is done, the error, the field that it names
    *((reminder(template=trick), InvalidTemplate, "payment_data.template") for trick in TRICKS),
    *((content(trick), InvalidTemplate, "template") for trick in TRICKS),
    (stored('{{ "x"*10**9 }}'), InvalidTemplate, "row/v1/sms.txt"),
    (stored("{{ user.__class__ }}"), InvalidTemplate, "row/v1/sms.txt"),
    (reminder(template="x" * 10_001), InvalidTemplate, "payment_data.template"),
    (reminder(template="x" * 10_000), InvalidRequest, "payment_data"),  # a template, but no text that Twilio takes
    (reminder(template="{bill_nam}"), MissingVariable, "bill_nam"),
    (content("{bill_name}"), MissingVariable, "bill_name"),
    (reminder(template=""), InvalidRequest, "payment_data.template"),
    (reminder(bill_name="\ufffd"), InvalidRequest, "payment_data.bill_name"),
    (reminder(bill_name="\ud83c"), InvalidRequest, "payment_data.bill_name"),
    (reminder(bill_name="a\0b"), InvalidRequest, "payment_data.bill_name"),
    (reminder(bill_name={"a": 1}), InvalidRequest, "payment_data.bill_name"),
    (reminder(amount="a lot"), InvalidRequest, "payment_data.amount"),
    (reminder(amount=float("nan")), InvalidRequest, "payment_data.amount"),
    (reminder(gathered=["a digest"]), InvalidRequest, "payment_data.gathered"),
    (lesson(subject="Hi\r\nBcc: all@mingus.example"), InvalidRequest, "education_data.subject"),
    (lesson(action_url="javascript:alert(1)"), InvalidRequest, "education_data.action_url"),
    (lesson(action_url="https://mingus.example@evil.example/"), InvalidRequest, "education_data.action_url"),
    (somebody(phone="+1404555012"), InvalidAddress, "address"),
    (somebody(phone="+18005550123"), InvalidAddress, "address"),
    (somebody(phone="\u202e+14045550123"), InvalidAddress, "address"),
    (somebody(email="omar@mingus.example\nBcc: all@mingus.example"), InvalidAddress, "address"),
    (somebody(email="omar@@mingus.example"), InvalidAddress, "address"),
    (somebody(time_zone="America/Atlantis"), InvalidRequest, "time_zone"),
    (somebody(time_zone="../../etc/passwd"), InvalidRequest, "time_zone"),
    (wishes(zone="Mars/Olympus"), InvalidRequest, "zone"),
    (wishes(quiet_from="22:00"), InvalidRequest, "quiet_until"),
    (
        wishes(**{"quiet_from": "20:00", "quiet_until": "08:00", "wellness.from": "21:00", "wellness.until": "23:00"}),
        InvalidRequest,
        "wellness.from",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("do", "error", "field"), BAD)
def test_bad_input_is_a_typed_error_that_names_its_field_and_reaches_no_provider(
    people, provider, do, error, field
):
    people(person("Maya", 101))
    with pytest.raises(error) as refused:
        do()
    assert field in refused.value.field
    assert provider.messages() == []
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM notifications")[0][0] == 0
        assert rows(connection, "SELECT array_agg(id) FROM users")[0][0] == ["user_maya"]


def test_a_stop_in_disguise_is_read_and_no_error():
    from delivery.keywords import Intent, classify

    for disguise in ("ＳＴＯＰ", "S\u200bT\u200bO\u200bP", "ＳТОР", "🆂🆃🅾🅿", "s.t.o.p!!", "ｓｔ０ｐ", "STÓP"):
        assert classify(disguise).intent is Intent.OPT_OUT, disguise


def test_an_emoji_that_the_caller_garbled_arrives_whole(people, provider):
    people(person("Maya", 101))
    garbled = "\U0001f389 Paid".encode().decode("cp1252")
    payload = {"template": "{message}", "message": garbled}
    accepted = accept(Request(user_id="user_maya", message_type="critical_financial", payload=payload))
    deliver([accepted.notification_id])
    (text,) = provider.messages()
    assert text["body"].splitlines()[0] == "\U0001f389 Paid"
