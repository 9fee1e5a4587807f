"""Which bills people are reminded of, and how the message reads."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from analytics.due_bills import Bill, banking_day, due_bills
from core.database import transaction
from core.ids import new_id
from core.statements import insert_rows
from core.vocabulary import Channel
from delivery.catalog import message_type
from delivery.content import Person, RenderRequest, render, validate_payload
from flows.audience import Recipient
from flows.batch_values import Draft, LeftOut
from flows.payment_reminders import payload_of, reminders
from tests.delivery.stage import person

D = Decimal
TUESDAY = date(2025, 1, 28)
NOON = datetime(2025, 1, 28, 18, tzinfo=UTC)  # noon in Chicago


def bill(
    due: date, name: str = "Rent", amount: str = "1200", paid: str = "0", *, autopay: bool = False
) -> Bill:
    return Bill(name, D(amount), D(paid), due, autopay)


@pytest.mark.parametrize(
    ("given", "reminded", "why"),
    [
        (bill(date(2025, 1, 31)), True, "three days before"),
        (bill(date(2025, 1, 30)), False, "two days is no lead by default"),
        (bill(date(2025, 1, 29)), True, "the day before"),
        (bill(date(2025, 1, 28)), False, "the day itself is not asked for"),
        (bill(date(2025, 1, 31), autopay=True), False, "paid by itself"),
        (bill(date(2025, 1, 31), paid="1200"), False, "all paid"),
        (bill(date(2025, 1, 31), paid="1500"), False, "more than paid"),
        (bill(date(2025, 1, 31), paid="200"), True, "a part is open"),
        (bill(date(2025, 2, 1)), True, "Saturday: payable by Friday, three days ahead"),
        (bill(date(2025, 2, 2)), True, "Sunday: payable by Friday too"),
        (bill(date(2025, 2, 3)), False, "Monday is six days ahead"),
    ],
)
def test_who_is_reminded_on_tuesday(given: Bill, reminded: bool, why: str) -> None:
    assert bool(due_bills([given], TUESDAY, "US", "TX")) is reminded, why


def test_lead_days_are_a_persons_own_wish() -> None:
    rent = bill(date(2025, 2, 4))
    assert [found.name for found in due_bills([rent], TUESDAY, "US", "TX", (7, 0))] == ["Rent"]
    assert due_bills([rent], TUESDAY, "US", "TX", ()) == []


@pytest.mark.parametrize(
    ("day", "place", "payable"),
    [
        (date(2025, 7, 4), ("US", "TX"), date(2025, 7, 3)),
        (date(2025, 7, 6), ("US", "TX"), date(2025, 7, 3)),  # Sunday after the Fourth
        (date(2025, 11, 28), ("US", "TX"), date(2025, 11, 28)),  # a state's holiday is none for the banks
        (date(2025, 10, 3), ("DE", ""), date(2025, 10, 2)),
        (date(2025, 12, 26), ("GB", ""), date(2025, 12, 24)),
        (date(2025, 2, 15), ("XX", ""), date(2025, 2, 14)),  # an unknown country still has weekends
        (date(2025, 2, 12), ("US", "Nowhere"), date(2025, 2, 12)),
    ],
)
def test_banks_rest_on_weekends_and_holidays(day: date, place: tuple[str, str], payable: date) -> None:
    assert banking_day(day, *place) == payable


def text_of(payload: dict[str, Any], channel: Channel = Channel.SMS, locale: str = "en_US") -> str:
    kind = message_type("payment_reminder")
    validate_payload(kind, payload)
    who = Person(name="Maya Johnson", locale=locale)
    return render(
        RenderRequest(message_type=kind, channel=channel, payload=payload, person=who, now=NOON)
    ).body


def test_several_bills_make_one_message() -> None:
    found = due_bills(
        [bill(date(2025, 1, 31)), bill(date(2025, 1, 31), "Power", "80", "20"), bill(date(2025, 1, 29), "Phone", "30")],
        TUESDAY, "US", "TX",
    )  # fmt: skip
    assert text_of(payload_of(found)) == (
        "MINGUS: 3 payments are due soon: Phone $30.00, Rent $1,200.00, Power $60.00. Together $1,290.00."
    )


def test_one_bill_says_by_when_banks_can_pay_it() -> None:
    payload = payload_of(due_bills([bill(date(2025, 2, 1), paid="200")], TUESDAY, "US", "TX"))
    assert text_of(payload) == "MINGUS: Rent of $1,000.00 is due February 1, 2025: pay by January 31, 2025."
    mail = text_of(payload, Channel.EMAIL)
    assert "Paid so far: $200.00" in mail
    assert "pague hasta el 31 de enero de 2025" in text_of(payload, locale="es_US")


def test_each_day_is_the_persons_own(people: Any) -> None:
    people(
        person("Maya", 101),  # Tuesday noon: reminded at once
        person("Aiko", 102, time_zone="Asia/Tokyo", country="JP"),  # Wednesday 03:00: of Wednesday, at nine
        person("Kai", 103, time_zone="Pacific/Honolulu"),  # Tuesday 08:00: of Tuesday, at nine
        person("Tom", 104),
        person("Omar", 105),
    )
    with transaction() as connection:
        insert_rows(
            connection,
            "INSERT INTO bills (id, user_id, name, amount, due_on) VALUES %s",
            [
                (new_id(), user, "Rent", D(amount), day)
                for user, amount, day in (
                    ("user_maya", "900", date(2025, 1, 31)), ("user_aiko", "900", date(2025, 1, 30)),
                    ("user_kai", "900", date(2025, 1, 31)), ("user_omar", "NaN", date(2025, 1, 31)),
                )
            ],
        )  # fmt: skip
    zones = {"user_aiko": "Asia/Tokyo", "user_kai": "Pacific/Honolulu"}
    recipients = [
        Recipient(f"user_{name}", "en_US", zones.get(f"user_{name}", "America/Chicago"), frozenset({"sms"}))
        for name in ("maya", "aiko", "kai", "tom", "omar")
    ]
    found = {each.user_id: each for each in reminders(recipients, NOON)}
    drafts = {
        user: (each.period, each.deliver_after) for user, each in found.items() if isinstance(each, Draft)
    }
    assert drafts == {
        "user_maya": ("2025-01-28", None),
        "user_aiko": ("2025-01-29", datetime(2025, 1, 29, 0, tzinfo=UTC)),
        "user_kai": ("2025-01-28", datetime(2025, 1, 28, 19, tzinfo=UTC)),
    }
    left = {user: (each.reason, each.expected) for user, each in found.items() if isinstance(each, LeftOut)}
    assert left == {
        "user_tom": ("nothing to pay on these days", True),
        "user_omar": ("a bill has no readable amount", False),
    }
