"""Real prices are booked once: in the attempt, on the notification, as an event, and so in the running totals."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import transaction
from core.statements import execute, rows
from core.vocabulary import EventKind
from delivery import Request, accept, counters, deliver
from delivery.booking import Booked, book
from delivery.catalog import catalog
from delivery.messages import DeliveryEvent
from delivery.receipts import apply_waiting, receive
from tests.costs.sums import sums_in_sql
from tests.delivery.conftest import person

pytestmark = pytest.mark.usefixtures("redis")


def send(user_id="user_maya", name="critical_financial"):
    """One message over the sandbox; (notification, attempt)."""
    accepted = accept(Request(user_id=user_id, message_type=name, payload=dict(catalog()[name].example)))
    deliver([accepted.notification_id])
    with transaction() as connection:
        (row,) = rows(
            connection, "SELECT id FROM attempts WHERE notification_id = %s", (accepted.notification_id,)
        )
    return accepted.notification_id, row[0]


def books(notification_id):
    """(the notification's cost, the attempt's real price, the prices of its events in order)."""
    with transaction() as connection:
        ((cost, real),) = rows(
            connection,
            "SELECT n.cost, a.cost FROM notifications n JOIN attempts a ON a.notification_id = n.id WHERE n.id = %s",
            (notification_id,),
        )
        prices = rows(
            connection,
            "SELECT kind, price FROM delivery_events WHERE notification_id = %s AND price IS NOT NULL ORDER BY id",
            (notification_id,),
        )
    return cost, real, prices


def price(attempt_id, amount):
    with transaction() as connection:
        return book(connection, {attempt_id: Decimal(amount) if amount is not None else None})


def test_a_message_is_booked_at_its_estimate_until_the_provider_tells_its_price(people, provider):
    people(person("Maya", 101))
    notification_id, _ = send()
    assert books(notification_id) == (Decimal("0.0075"), None, [("sent", Decimal("0.0075"))])


@pytest.mark.parametrize("told", ["0.0083", "-0.0083"])
def test_a_real_price_corrects_the_estimate_whatever_its_sign(people, provider, told):
    people(person("Maya", 101))
    notification_id, attempt_id = send()
    assert price(attempt_id, told) == Booked(1, Decimal("0.0008"))
    assert books(notification_id) == (
        Decimal("0.0083"), Decimal("0.0083"), [("sent", Decimal("0.0075")), ("price_settled", Decimal("0.0008"))],
    )  # fmt: skip


def test_the_same_price_told_again_and_the_estimates_own_price_change_nothing(people, provider):
    people(person("Maya", 101))
    notification_id, attempt_id = send()
    assert price(attempt_id, None) == Booked(0, Decimal(0))
    assert price(attempt_id, "-0.0075") == Booked(0, Decimal(0))
    price(attempt_id, "-0.0083")
    assert price(attempt_id, "-0.0083") == Booked(0, Decimal(0))
    assert books(notification_id)[0] == Decimal("0.0083")


def test_a_free_message_costs_nothing_in_the_end(people, provider):
    people(person("Maya", 101))
    notification_id, attempt_id = send()
    price(attempt_id, "0")
    assert books(notification_id)[0] == 0


def test_a_receipt_that_outruns_its_answer_books_the_estimate_once(people, provider):
    """The process died after the call: the attempt is open, nothing is booked, and the receipt comes."""
    people(person("Maya", 101))
    notification_id, attempt_id = send()
    with transaction() as connection:
        execute(connection, "DELETE FROM delivery_events")
        execute(connection, "UPDATE notifications SET state = 'unknown', cost = 0")
        execute(connection, "UPDATE attempts SET outcome = 'unknown'")
    receipt = DeliveryEvent(
        provider="twilio",
        kind=EventKind.DELIVERED,
        event_key="r1",
        at=datetime.now(UTC),
        attempt_id=attempt_id,
    )
    receive([receipt])
    apply_waiting()
    assert books(notification_id)[::2] == (Decimal("0.0075"), [("sent", Decimal("0.0075"))])


def test_a_receipt_with_a_price_settles_it(people, provider):
    people(person("Maya", 101))
    notification_id, attempt_id = send()
    receive(
        [
            DeliveryEvent(
                provider="twilio", kind=EventKind.DELIVERED, event_key="r1", at=datetime.now(UTC),
                attempt_id=attempt_id, price=Decimal("0.0079"),
            )
        ]
    )  # fmt: skip
    apply_waiting()
    assert books(notification_id)[0] == Decimal("0.0079")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    told=st.lists(
        st.tuples(st.integers(0, 2), st.one_of(st.none(), st.decimals(-1, 1, places=6, allow_nan=False))),
        max_size=8,
    )
)
def test_whatever_prices_are_told_the_books_agree_with_the_last_one(people, provider, redis, told):
    """Notification, attempt, events and running totals say the same, and the last price told is what it has cost."""
    with transaction() as connection:
        for table in ("delivery_events", "attempts", "notifications"):
            execute(connection, f"DELETE FROM {table}")
    redis.flushdb()
    people(person("Maya", 101))
    sent = [send() for _ in range(3)]
    for which, amount in told:
        price(sent[which][1], amount)
    today = datetime.now(UTC).date()
    for number, (notification_id, _) in enumerate(sent):
        cost, _, prices = books(notification_id)
        last = [abs(amount) for which, amount in told if which == number and amount is not None]
        assert cost == sum(amount for _, amount in prices) == (last[-1] if last else Decimal("0.0075"))
    with transaction() as connection:
        counters.rebuild(connection, today)
    assert counters.totals(today).cost == sum(sums_in_sql(today)[2].values(), Decimal(0))
