"""Callers that repeat themselves: the same key and content is one notification, other content a clear conflict."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from core.database import transaction
from core.errors import IdempotencyConflict, InvalidRequest, NotAccepted
from core.statements import rows
from delivery import Request, accept, accept_many, ledger
from tasks import send_critical_financial_alert
from tests.delivery.stage import person
from tests.reliability.story import QUICK, taken

pytestmark = pytest.mark.usefixtures("redis")
OVERDRAFT = {"template": "Critical: {message}", "message": "Overdraft", "urgency": "high"}


@pytest.fixture
def maya(people, provider, configure):
    configure(**QUICK, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url)
    people(person("Maya", 101))
    return "user_maya"


def alert(user_id, key, payload=OVERDRAFT, **given):
    return Request(
        user_id=user_id, message_type="critical_financial", payload=payload, idempotency_key=key, **given
    )


def stored():
    with transaction() as connection:
        return rows(connection, "SELECT idempotency_key FROM notifications ORDER BY 1")


def test_a_thousand_callers_at_once_with_the_same_key_make_one_row(maya, configure):
    configure(MINGUS_DATABASE_POOL_SIZE="30")
    with ThreadPoolExecutor(25) as threads:
        results = list(threads.map(lambda _: accept(alert(maya, "k")), range(1000)))
    assert len({each.notification_id for each in results}) == 1
    assert sum(each.is_new for each in results) == 1
    assert stored() == [("k",)]


def test_the_same_key_with_other_content_is_a_conflict_that_names_the_key(maya):
    accept(alert(maya, "rent-2025-02"))
    with pytest.raises(IdempotencyConflict, match="rent-2025-02"):
        accept(alert(maya, "rent-2025-02", OVERDRAFT | {"message": "Low balance"}))
    assert len(stored()) == 1


def test_batches_with_the_same_keys_in_opposite_orders_do_not_block_each_other(maya):
    batch = [alert(maya, f"k{n}") for n in range(200)]
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(accept_many, [batch, batch[::-1]] * 8))
    ids = {frozenset(each.notification_id for each in result) for result in results}
    assert len(ids) == 1


def test_the_key_may_be_an_option_or_stand_in_the_payload(maya):
    with_key = OVERDRAFT | {"idempotency_key": "in-payload"}
    first, again = (send_critical_financial_alert.delay(maya, with_key).id for _ in range(2))
    by_option = [
        send_critical_financial_alert.apply_async((maya, OVERDRAFT), idempotency_key="as-option").id
        for _ in range(2)
    ]
    assert first == again
    assert len(set(by_option)) == 1
    assert stored() == [("as-option",), ("in-payload",)]


def test_a_plain_call_with_a_key_sends_once_too(maya, provider):
    with_key = OVERDRAFT | {"idempotency_key": "k"}
    assert send_critical_financial_alert(maya, with_key) is True
    assert send_critical_financial_alert(maya, with_key) is True
    assert len(taken(provider)) == 1


@pytest.mark.parametrize(
    "key",
    ["", "x" * 256, 42, b"k", "a\x00b", "a\nb", "\ud800"],
    ids=["empty", "long", "int", "bytes", "nul", "line", "surrogate"],
)
@pytest.mark.parametrize("field", ["idempotency_key", "campaign", "user_id"])
def test_a_key_that_no_database_could_hold_is_refused_by_name(maya, key, field):
    given = {"user_id": maya, "key": "k", "campaign": "c"} | {
        "key" if field == "idempotency_key" else field: key
    }
    with pytest.raises(InvalidRequest, match=field):
        accept(alert(**given))
    assert stored() == []


def test_a_caller_whose_commit_was_not_answered_finds_its_row_under_the_key(maya, monkeypatch):
    """The connection dies after the commit and before its answer: nobody can know, and the key makes it harmless."""
    insert = ledger.insert

    def commit_and_lose_the_connection(connection, drafts, **given):
        found = insert(connection, drafts, **given)
        connection.commit()
        rows(connection, "SELECT pg_terminate_backend(pg_backend_pid())")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "insert", commit_and_lose_the_connection)
        with pytest.raises(NotAccepted, match="idempotency_key"):
            accept(alert(maya, "k"))
    assert not accept(alert(maya, "k")).is_new
    assert stored() == [("k",)]
