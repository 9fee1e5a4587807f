"""Our log against the sandbox's list: lost, extra, different, and the prices that Twilio charges."""

import time
from datetime import timedelta
from decimal import Decimal

import pytest

from core.clock import utc_now
from core.database import transaction
from core.ids import new_id
from core.statements import execute, rows
from core.vocabulary import EventKind
from delivery import Request, accept_many, deliver
from delivery.catalog import catalog
from delivery.messages import DeliveryEvent
from delivery.providers.base import ProviderRecord
from delivery.receipts import apply_waiting
from delivery.reconciliation import _differs, _Ours, reconcile
from tests.delivery.conftest import person

pytestmark = pytest.mark.usefixtures("redis")


@pytest.fixture
def sent(people, provider, configure):
    """Five alerts by text and five by mail, delivered, with every callback lost; (texts, mails) as notification ids."""
    configure(
        MINGUS_LIMIT_CRITICAL_FINANCIAL_SMS="100",
        MINGUS_LIMIT_MONTHLY_REPORT_EMAIL="100",
        MINGUS_SMS_PRICE="0.0060",
    )
    people(*(person(f"Person{n}", n) for n in range(5)))
    ids = []
    for name in ("critical_financial", "monthly_report"):
        results = accept_many(
            [
                Request(user_id=f"user_person{n}", message_type=name, payload=dict(catalog()[name].example))
                for n in range(5)
            ]
        )
        ids.append([each.notification_id for each in results])
        deliver(ids[-1])
    deadline = time.monotonic() + 10
    while {each["status"] for each in provider.messages()} != {"delivered"}:
        assert time.monotonic() < deadline, {each["status"] for each in provider.messages()}
        time.sleep(0.1)
    return ids


def compare(name="twilio", *, ago=timedelta(hours=1), until=timedelta(minutes=-1)):
    return reconcile(name, utc_now() - ago, utc_now() - until)


def one(sql, *parameters):
    with transaction() as connection:
        return rows(connection, sql, parameters)[0]


def change(sql, *parameters):
    with transaction() as connection:
        execute(connection, sql, parameters)


@pytest.mark.parametrize("name", ["twilio", "resend"])
def test_ends_that_nobody_told_us_are_taken_in_and_then_the_lists_agree(sent, name):
    found = compare(name)
    assert (found.ours, found.theirs, len(found.lost), len(found.extra)) == (5, 5, 0, 0)
    assert {(each.ours, each.theirs) for each in found.different} == {("accepted", "delivered")}
    apply_waiting()
    assert one("SELECT count(*) FROM notifications WHERE state = 'delivered' AND provider = %s", name) == (5,)
    again = compare(name)
    assert (len(again.different), again.alarming) == (0, False)


def test_twilios_prices_are_booked_once_to_the_millionth(sent):
    found = compare()
    assert (found.repriced, found.correction) == (5, 5 * Decimal("0.0015"))
    assert compare().repriced == 0
    assert one("SELECT sum(cost) FROM notifications WHERE message_type = 'critical_financial'") == (
        Decimal("0.0375"),
    )
    assert one("SELECT sum(price) FROM delivery_events WHERE channel = 'sms'") == (Decimal("0.0375"),)
    assert one("SELECT count(*) FROM attempts WHERE cost = 0.0075") == (5,)


def test_a_message_that_the_provider_does_not_list_is_lost_and_an_alarm(sent):
    change(
        "UPDATE attempts SET reference = 'SMffffffffffffffffffffffffffffffff' WHERE notification_id = %s",
        sent[0][0],
    )
    found = compare()
    assert [each.reference for each in found.lost] == ["SMffffffffffffffffffffffffffffffff"]
    assert len(found.extra) == 1, "and what it lists instead is nobody's"
    assert found.alarming
    assert one("SELECT name, subject FROM alarms WHERE ended_at IS NULL") == (
        "reconciliation twilio",
        "twilio",
    )


def test_the_alarm_ends_when_the_lists_agree_again(sent):
    compare("resend")
    assert one("SELECT count(*) FROM alarms WHERE ended_at IS NULL") == (1,)
    apply_waiting()
    compare("resend")
    assert one("SELECT count(*), count(ended_at) FROM alarms") == (1, 1)


def test_a_message_that_we_know_nothing_of_is_extra(sent, provider):
    change("DELETE FROM notifications WHERE id = %s", sent[1][0])
    found = compare("resend")
    assert [(each.ours, each.theirs) for each in found.extra] == [("", "delivered")]
    assert (found.ours, found.theirs) == (4, 5)


def test_what_a_person_wrote_is_no_message_of_ours(sent, provider):
    (text,) = [each for each in provider.messages() if each["to"] == "+15125550001"]
    reply = {
        "from": text["to"],
        "to": text["from"],
        "body": "hello",
        "url": f"{provider.url}/_sandbox/healthz",
    }
    provider._call("POST", "/_sandbox/inbound", reply)
    found = compare()
    assert (found.theirs, list(found.extra)) == (5, [])


def test_at_the_edges_clocks_may_differ_and_nothing_is_judged_twice(sent):
    """The window ends between our clock and theirs: what lies beyond it is neither lost nor extra."""
    middle = one("SELECT opened_at FROM attempts WHERE provider = 'twilio' ORDER BY id OFFSET 2 LIMIT 1")[0]
    before = reconcile("twilio", middle - timedelta(hours=1), middle)
    after = reconcile("twilio", middle, middle + timedelta(hours=1))
    assert before.ours + after.ours == 5
    assert (before.lost, after.lost) == ([], [])
    assert (before.extra, after.extra) == ([], [])


def test_a_message_of_unknown_outcome_is_extra_until_it_is_resolved(sent):
    """The lists don't carry our ids: who is behind the reference is found out by the message's own resolution."""
    change("UPDATE attempts SET outcome = 'unknown', reference = '' WHERE notification_id = %s", sent[1][0])
    found = compare("resend")
    assert (len(found.extra), len(found.lost), found.ours) == (1, 0, 4)


@pytest.mark.parametrize("name", ["twilio", "resend"])
def test_a_list_that_cant_be_read_says_nothing_and_raises_no_alarm(sent, provider, name):
    provider.fault(provider=name, kind="5xx_before", scope="read")
    found = compare(name)
    assert (found.readable, found.alarming, len(found.lost)) == (False, False, 0)
    assert one("SELECT count(*) FROM alarms") == (0,)


def test_an_empty_window_agrees(provider, database):
    found = compare(ago=timedelta(days=2), until=timedelta(days=1))
    assert (found.ours, found.theirs, found.share, found.alarming) == (0, 0, 0.0, False)


@pytest.mark.parametrize(
    ("listed", "heard", "differs"),
    [
        (
            EventKind.BOUNCED_SOFT,
            EventKind.BOUNCED_HARD,
            False,
        ),  # the list does not tell of what kind a bounce was
        (EventKind.DELIVERED, EventKind.OPENED, False),
        (EventKind.SENT, EventKind.DELIVERED, False),
        (EventKind.DELIVERED, EventKind.SENT, True),
        (EventKind.DELIVERED, EventKind.BOUNCED_HARD, True),
        (EventKind.BOUNCED_SOFT, EventKind.DELIVERED, True),
    ],
)
def test_a_list_that_says_less_than_the_webhook_is_no_difference(listed, heard, differs):
    record = ProviderRecord("e1", "", DeliveryEvent("resend", listed, "k", utc_now()), utc_now())
    own = _Ours(new_id(), "e1", utc_now(), "accepted", None, frozenset({"sent", str(heard)}))

    assert _differs(record, own) is differs
