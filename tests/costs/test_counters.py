"""I5: the running totals in Redis equal the sums in SQL, after a real run, after losses, and under a rebuild."""

import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from core.clock import utc_now
from core.database import transaction
from core.errors import NotAccepted
from core.statements import rows
from delivery import Request, accept_many, counters, deliver, ledger
from delivery.catalog import catalog
from delivery.ledger import Fact
from delivery.public import track_communication_cost
from delivery.receipts import apply_waiting
from tests.costs.sums import sums_in_sql
from tests.delivery.conftest import person

TODAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def event(
    kind="sent", *, price="0.0075", user="user_maya", at=NOON, name="critical_financial", channel="sms"
):
    return Fact(
        at=at, kind=kind, channel=channel, provider="twilio", user_id=user, message_type=name,
        price=Decimal(price) if price is not None else None,
    )  # fmt: skip


def record(*events):
    with transaction() as connection:
        ledger.record_facts(connection, events)


def rebuild(day=TODAY):
    with transaction() as connection:
        assert counters.rebuild(connection, day)


def in_redis(day=TODAY):
    found = counters.totals(day)
    return None if found is None else (dict(found.events), dict(found.by_type), dict(found.by_channel))


@pytest.fixture
def whole(database, redis):
    """Today's totals are whole from the start, as after any rebuild."""
    rebuild()


def test_after_a_run_of_all_types_over_the_sandbox_redis_says_what_sql_says(
    redis, people, provider, configure
):
    configure(
        **{
            f"MINGUS_LIMIT_{name}_{channel}".upper(): "1000"
            for name, row in catalog().items()
            for channel in row.channels
        }
    )
    today = utc_now().date()
    rebuild(today)
    people(*(person(f"Person{n}", n, time_zone="America/Chicago") for n in range(2000, 2030)))
    requests = [
        Request(user_id=f"user_person{2000 + n % 30}", message_type=name, payload=dict(row.example))
        for n, (name, row) in enumerate(list(catalog().items()) * 8)
    ]
    deliver([each.notification_id for each in accept_many(requests)])
    apply_waiting()
    counted, expected = in_redis(today), sums_in_sql(today)
    assert expected[0]["critical_financial:sms:sent"] == 8
    assert counted == expected
    rebuild(today)
    assert in_redis(today) == expected


@pytest.mark.usefixtures("whole")
def test_a_rolled_back_event_is_not_counted():
    def fails_before_its_commit():
        with transaction() as connection:
            ledger.record_facts(connection, [event()])
            raise NotAccepted("the disk is full")

    with pytest.raises(NotAccepted):
        fails_before_its_commit()
    assert in_redis() == ({}, {}, {})


@pytest.mark.usefixtures("whole")
def test_what_a_provider_calls_sent_is_no_second_hand_over():
    record(event(), event(price=None), event("delivered", price=None))
    events, by_type, _ = in_redis()
    assert events == {"critical_financial:sms:sent": 1, "critical_financial:sms:delivered": 1}
    assert by_type == {"critical_financial": Decimal("0.0075")}


@pytest.mark.usefixtures("whole")
def test_a_correction_is_added_with_its_sign():
    record(event(), event("price_settled", price="-0.0025"))
    assert counters.totals(TODAY).cost == Decimal("0.005")
    assert counters.user_cost("user_maya", TODAY) == Decimal("0.005")


@pytest.mark.usefixtures("whole")
def test_events_stand_on_the_day_on_which_they_happened():
    record(event(), event(at=NOON.replace(day=23, hour=23, minute=59)))
    assert counters.totals(TODAY).cost == Decimal("0.0075")
    rebuild(date(2026, 11, 23))
    assert counters.totals(date(2026, 11, 23)).cost == Decimal("0.0075")


@pytest.mark.usefixtures("whole")
def test_a_lost_redis_is_noticed_and_a_rebuild_mends_it(redis):
    record(event(), event("delivered", price=None))
    redis.flushdb()
    record(event(user="user_noor"))
    assert in_redis() is None, "partial totals are never shown as totals"
    rebuild()
    assert in_redis() == sums_in_sql(TODAY)
    assert counters.totals(TODAY).cost == Decimal("0.015")


def test_a_count_that_a_kill_left_out_is_put_right(whole, monkeypatch):
    monkeypatch.setattr(counters, "count", lambda *_, **__: None)
    record(event())
    monkeypatch.undo()
    assert in_redis() == ({}, {}, {})
    rebuild()
    assert in_redis() == sums_in_sql(TODAY)


def test_without_redis_nothing_is_raised_and_nothing_is_lost(database, configure):
    from core.redis import disconnect

    configure(REDIS_URL="redis://127.0.0.1:9/0")
    disconnect()
    record(event())
    disconnect()
    assert sums_in_sql(TODAY)[0] == {"critical_financial:sms:sent": 1}


@pytest.mark.parametrize("visible_first", [True, False])
def test_an_event_that_commits_around_a_rebuild_is_counted_exactly_once(whole, monkeypatch, visible_first):
    """Maya's event commits before or after the rebuild's snapshot, and is counted while the rebuild is under way."""
    taken = counters._sums

    def sums(connection, day):
        if visible_first:
            record(event())
            return taken(connection, day)
        found = taken(connection, day)
        record(event())
        return found

    monkeypatch.setattr(counters, "_sums", sums)
    rebuild()
    assert in_redis() == sums_in_sql(TODAY)
    assert in_redis()[0] == {"critical_financial:sms:sent": 1}


def test_an_event_counted_only_after_the_rebuild_that_saw_it_is_not_counted_again(whole, monkeypatch):
    late = []
    monkeypatch.setattr(counters, "count", lambda events, *, xid: late.append((events, xid)))
    record(event())
    monkeypatch.undo()
    rebuild()
    ((events, xid),) = late
    counters.count(events, xid=xid)
    assert in_redis() == sums_in_sql(TODAY)


def test_while_four_threads_write_and_one_rebuilds_all_the_time_nothing_is_counted_twice_or_not(whole):
    stop = threading.Event()

    def write(who):
        for n in range(60):
            record(event(user=who, price=f"0.00{n % 90 + 10}"), event("delivered", price=None, user=who))

    def keep_rebuilding():
        while not stop.is_set():
            rebuild()

    rebuilder = threading.Thread(target=keep_rebuilding)
    writers = [threading.Thread(target=write, args=(f"user_{n}",)) for n in range(4)]
    rebuilder.start()
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    stop.set()
    rebuilder.join()
    assert in_redis() == sums_in_sql(TODAY)
    assert in_redis()[0]["critical_financial:sms:sent"] == 240


def test_the_specified_helper_books_in_sql_and_in_redis_alike(database, redis):
    today = utc_now().date()
    rebuild(today)
    assert track_communication_cost("user_maya", "sms", "payment_reminder", True, units=2) == Decimal(
        "0.0150"
    )
    assert track_communication_cost("user_maya", "email", "payment_reminder", False) == 0
    assert in_redis(today) == sums_in_sql(today)
    assert counters.user_cost("user_maya", today) == Decimal("0.015")
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM delivery_events")[0][0] == 2


def test_no_name_of_the_totals_holds_an_address(whole, redis):
    record(event())
    assert all(b"+1" not in key and b"@" not in key for key in redis.keys("mingus:{counters}:*"))
