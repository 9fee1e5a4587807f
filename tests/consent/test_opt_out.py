"""Withdrawals, step by step: held at once, in the ledger when nothing is under way, before a later grant."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from core.database import engine, transaction
from core.statements import execute, rows
from core.vocabulary import Channel, OutcomeKind, Purpose
from delivery import Request, accept, consents, deliver, ledger, opt_out
from delivery.catalog import catalog
from delivery.consents import ConsentEntry
from delivery.loading import consent_states
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("redis")
KEY = ("user_maya", Channel.EMAIL, Purpose.MARKETING)


@pytest.fixture
def maya(people, provider) -> None:
    people(person("Maya", 101))


def entry(granted: bool = False) -> ConsentEntry:
    return ConsentEntry(
        user_id=KEY[0],
        channel=KEY[1],
        purpose=KEY[2],
        granted=granted,
        method="test",
        source="a test",
        ip="10.0.0.1",
    )


def stands() -> bool:
    with transaction() as connection:
        return consent_states(connection, ["user_maya"])[KEY].granted


def in_ledger() -> list[str]:
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT action FROM consents WHERE user_id = %s AND channel = %s AND purpose = %s ORDER BY at, id",
            KEY,
        )
    return [row[0] for row in found][1:]


def mail() -> Request:
    return Request(
        user_id="user_maya",
        message_type="educational_content",
        payload=dict(catalog()["educational_content"].example),
    )


def test_a_withdrawal_with_nothing_under_way_stands_in_the_ledger_at_once(maya):
    assert opt_out.withdraw([entry()], patience=0)
    assert in_ledger() == ["withdraw"]
    assert not stands()


def test_the_ledgers_row_carries_the_evidence_and_opens_nowhere_else(maya):
    given = entry()
    opt_out.withdraw([given])
    with transaction() as connection:
        ((row_id, method, source, ip),) = rows(
            connection, "SELECT id, method, source, ip_sealed FROM consents WHERE action = 'withdraw'"
        )
    from core.sealing import unseal

    assert (row_id, method, source) == (given.id, "test", "a test")
    assert unseal(ip, place=consents.IP_PLACE, row=given.id) == "10.0.0.1"


def test_a_hold_stops_new_claims_before_the_ledger_says_anything(maya, provider):
    with transaction() as connection:
        opt_out.hold(connection, [entry()])
    assert in_ledger() == []

    accepted = accept(mail())
    report = deliver([accepted.notification_id])

    assert report.states[accepted.notification_id] == ("skipped", "consent_withdrawn")
    assert provider.messages() == []


def test_other_purposes_and_channels_go_on(maya, provider):
    with transaction() as connection:
        opt_out.hold(connection, [entry()])
    report = Request(
        user_id="user_maya", message_type="monthly_report", payload=dict(catalog()["monthly_report"].example)
    )

    deliver([accept(report).notification_id])

    assert len(provider.messages()) == 1


def test_a_withdrawal_waits_for_a_call_that_is_under_way(maya, provider):
    """Resend answers late; the ledger's row comes after the answer, and no second mail goes out."""
    provider.fault(provider="resend", kind="latency", params={"fixed_ms": 700})
    accepted, later = accept(mail()), accept(mail())
    sending = threading.Thread(target=deliver, args=([accepted.notification_id],))
    sending.start()
    _until_open_attempt()

    assert not opt_out.withdraw([entry()], patience=0.05)
    assert in_ledger() == []
    assert not stands()
    assert opt_out.complete(patience=5) == 0
    sending.join()

    assert in_ledger() == ["withdraw"]
    deliver([later.notification_id])
    assert len(provider.messages()) == 1


def test_a_withdrawal_waits_for_a_claim_that_is_not_committed(maya):
    """The claim may have read the consents before the hold: its attempts can't be seen yet."""
    accepted = accept(mail())
    with engine().connect() as other, other.begin() as claiming:
        ledger.claim(other, [accepted.notification_id], lease_seconds=45)

        assert not opt_out.withdraw([entry()], patience=0.1)
        assert in_ledger() == []
        claiming.rollback()

    assert opt_out.complete() == 0
    assert in_ledger() == ["withdraw"]


def test_a_later_claim_does_not_hold_up_a_withdrawal(maya, people):
    people(person("Noah", 102))
    with transaction() as connection:
        opt_out.hold(connection, [entry()])
    started, finish = threading.Event(), threading.Event()

    def write_on() -> None:
        while not finish.is_set():
            with transaction() as connection:
                execute(connection, "UPDATE notifications SET updated_at = now()")
                started.set()
                time.sleep(0.05)

    writers = [threading.Thread(target=write_on) for _ in range(3)]
    for writer in writers:
        writer.start()
    started.wait(5)
    try:
        assert opt_out.complete(patience=3) == 0
    finally:
        finish.set()
        for writer in writers:
            writer.join()
    assert in_ledger() == ["withdraw"]


def test_a_mail_of_unknown_outcome_may_be_repeated_and_is_waited_for(maya, provider):
    accepted = accept(mail())
    deliver([accepted.notification_id])
    with transaction() as connection:
        execute(connection, "UPDATE attempts SET outcome = %s", (OutcomeKind.UNKNOWN,))
        execute(connection, "UPDATE notifications SET state = 'unknown'")

    assert not opt_out.withdraw([entry()], patience=0.05)

    with transaction() as connection:
        execute(connection, "UPDATE notifications SET state = 'delivered'")
    assert opt_out.complete() == 0


def test_a_grant_comes_after_the_withdrawal_that_it_follows(maya):
    with transaction() as connection:
        opt_out.hold(connection, [entry()])
        consents.record(connection, [entry(granted=True)])

    assert in_ledger() == ["withdraw", "grant"]
    assert stands()
    assert opt_out.complete() == 0


def test_withdrawing_twice_leaves_one_row(maya):
    with transaction() as connection:
        first = opt_out.hold(connection, [entry()])
    with transaction() as connection:
        assert opt_out.hold(connection, [entry()]) == first
    opt_out.complete()

    assert in_ledger() == ["withdraw"]


def test_a_grant_can_not_be_held(maya):
    with transaction() as connection, pytest.raises(ValueError, match="grant"):
        opt_out.hold(connection, [entry(granted=True)])


def _until_open_attempt() -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=5)
    while datetime.now(UTC) < deadline:
        with transaction() as connection:
            if rows(connection, "SELECT FROM attempts WHERE closed_at IS NULL"):
                return
        time.sleep(0.01)
    raise AssertionError("no attempt was opened")
