"""The relay: what is due reaches its lane, whatever Redis has forgotten; bulk waits for room, critical never does."""

import json
from base64 import b64decode

import psycopg2
import pytest

from core.database import engine, transaction
from core.ids import new_id
from core.sealing import seal
from core.statements import execute, rows
from core.vocabulary import Lane
from delivery import recovery
from delivery.catalog import catalog
from delivery.intake import PAYLOAD_PLACE
from delivery.recovery import recover_lapsed
from tasks import relay, room, send_critical_financial_alert, send_educational_content
from tasks.single_flight import single_flight
from tests.delivery.stage import person
from tests.reliability.story import QUICK, let_time_pass

pytestmark = pytest.mark.usefixtures("database", "redis")


@pytest.fixture
def waiting(people, configure):
    """Write so many accepted notifications of a lane, all due."""
    configure(**QUICK)
    people(person("Maya", 101))

    def write(lane, count, message_type="educational_content"):
        some = new_id()
        sealed = seal(b"{}", place=PAYLOAD_PLACE, row=some)
        with transaction() as connection:
            execute(
                connection,
                "INSERT INTO notifications (id, user_id, message_type, lane, payload_sealed, content_hash,"
                " deliver_after, publish_after, expires_at) SELECT gen_random_uuid(), 'user_maya', %s, %s, %s, '',"
                " now(), now(), now() + interval '1 hour' FROM generate_series(1, %s)",
                (message_type, lane, sealed, count),
            )

    return write


def carried(redis, lane):
    """The ids of each message that waits in a lane."""
    bodies = [json.loads(each)["body"] for each in redis.lrange(lane, 0, -1)]
    return [json.loads(b64decode(body))[0][0] for body in bodies]


def test_what_is_due_travels_in_chunks_and_is_not_published_again_at_once(waiting, redis, configure):
    configure(MINGUS_CHUNK_SIZE="50")
    waiting(Lane.EMAIL_EDUCATION, 120)
    relay.publish_due()
    assert sorted(len(chunk) for chunk in carried(redis, Lane.EMAIL_EDUCATION)) == [20, 50, 50]
    relay.publish_due()
    assert redis.llen(Lane.EMAIL_EDUCATION) == 3


def test_an_empty_redis_is_filled_again_from_the_rows(waiting, redis):
    waiting(Lane.EMAIL_EDUCATION, 120)
    relay.publish_due()
    redis.flushall()
    relay.publish_due()
    assert redis.llen(Lane.EMAIL_EDUCATION) == 0
    let_time_pass(60)
    relay.publish_due()
    assert sum(map(len, carried(redis, Lane.EMAIL_EDUCATION))) == 120


def test_a_bulk_lane_is_filled_up_to_its_mark_and_the_critical_one_beyond(waiting, redis, configure):
    configure(MINGUS_CHUNK_SIZE="10")
    waiting(Lane.EMAIL_EDUCATION, 600)
    waiting(Lane.SMS_CRITICAL, 600, "critical_financial")
    for _ in range(3):
        relay.publish_due()
    assert redis.llen(Lane.EMAIL_EDUCATION) == room.CHUNKS_AHEAD
    assert sum(map(len, carried(redis, Lane.SMS_CRITICAL))) == 600


def test_a_dead_critical_worker_does_not_let_its_queue_grow_without_end(waiting, redis, monkeypatch):
    monkeypatch.setattr(room, "CRITICAL_AHEAD", 5)
    waiting(Lane.SMS_CRITICAL, 30, "critical_financial")
    for _ in range(10):
        relay.publish_due()
        let_time_pass(60)
    assert redis.llen(Lane.SMS_CRITICAL) == 5


def test_while_redis_is_short_of_memory_only_critical_is_published(waiting, redis, monkeypatch):
    monkeypatch.setattr(room, "_memory_is_short", lambda _: True)
    waiting(Lane.EMAIL_EDUCATION, 30)
    waiting(Lane.SMS_CRITICAL, 30, "critical_financial")
    relay.publish_due()
    assert redis.llen(Lane.EMAIL_EDUCATION) == 0
    assert sum(map(len, carried(redis, Lane.SMS_CRITICAL))) == 30


@pytest.fixture
def looked_at_each_time(monkeypatch):
    monkeypatch.setattr(room, "LOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(room, "_seen", (0.0, frozenset()))


@pytest.mark.usefixtures("looked_at_each_time")
@pytest.mark.parametrize("why", ["the lane is full", "memory is short"])
def test_a_service_that_sends_bulk_one_by_one_does_not_fill_redis_either(waiting, redis, monkeypatch, why):
    waiting(Lane.EMAIL_EDUCATION, 0)
    if why == "memory is short":
        monkeypatch.setattr(room, "_memory_is_short", lambda _: True)
    lesson, alert = (dict(catalog()[name].example) for name in ("educational_content", "critical_financial"))
    results = [send_educational_content.delay("user_maya", lesson) for _ in range(room.CHUNKS_AHEAD + 5)]
    held = redis.llen(Lane.EMAIL_EDUCATION)
    assert held == (0 if why == "memory is short" else room.CHUNKS_AHEAD)
    assert results[-1].get(timeout=5) is True, "safely waiting"
    send_critical_financial_alert.delay("user_maya", alert)
    assert redis.llen(Lane.SMS_CRITICAL) == 1, "an alert is never held back"
    with transaction() as connection:
        ((due,),) = rows(connection, "SELECT count(*) FROM notifications WHERE publish_after <= now()")
    assert due == room.CHUNKS_AHEAD + 5 - held, "the relay takes them as soon as there is room"


@pytest.mark.parametrize(("used", "limit", "short"), [(90, 100, True), (80, 100, False), (90, 0, False)])
def test_memory_is_short_from_the_mark_on_and_never_without_a_limit(used, limit, short):
    assert room._memory_is_short({"used_memory": used, "maxmemory": limit}) is short


def test_what_a_broker_did_not_take_is_due_again_at_once(waiting, redis, configure, monkeypatch):
    waiting(Lane.EMAIL_EDUCATION, 500)
    taken = []

    def refuse(**options):
        if taken:
            raise OSError
        taken.append(options)

    monkeypatch.setattr(relay.deliver_chunk, "apply_async", refuse)
    relay.publish_due()
    with transaction() as connection:
        ((due,),) = rows(connection, "SELECT count(*) FROM notifications WHERE publish_after <= now()")
    assert due == 500 - len(taken[0]["args"][0])


def test_two_relays_at_once_publish_nothing_twice(waiting):
    from concurrent.futures import ThreadPoolExecutor

    waiting(Lane.EMAIL_EDUCATION, 2000)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: recovery.due({Lane.EMAIL_EDUCATION: 900}), range(4)))
    ids = [each.id for part in found for each in part[Lane.EMAIL_EDUCATION]]
    assert len(ids) == len(set(ids)) == 2000


def test_the_relay_takes_every_due_row_once_page_by_page(waiting):
    """How fast is `make bench ROWS=P6`'s to say."""
    waiting(Lane.EMAIL_EDUCATION, 12_000)
    taken = []
    while found := recovery.due({Lane.EMAIL_EDUCATION: room.MOST_AT_ONCE})[Lane.EMAIL_EDUCATION]:
        assert len(found) <= room.MOST_AT_ONCE
        taken += [each.id for each in found]
    assert len(taken) == len(set(taken)) == 12_000


def test_thousands_of_lapsed_claims_come_back_in_one_go(waiting):
    waiting(Lane.EMAIL_EDUCATION, 3500)
    with transaction() as connection:
        execute(connection, "UPDATE notifications SET state = 'claimed', claims = 1, lease_until = now()")
    assert recover_lapsed() == {"released": 3500}


def test_only_one_process_does_the_housekeeping_and_a_cut_connection_does_not_keep_the_lock():
    seen = []

    @single_flight("test")
    def outer():
        seen.append("outer")
        inner()
        with transaction() as connection:
            rows(
                connection,
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()",
            )

    @single_flight("test")
    def inner():
        seen.append("inner")

    outer()
    inner()
    assert seen == ["outer", "inner"]
    assert engine().pool.checkedout() == 0


def test_an_error_in_the_housekeeping_frees_the_lock():
    @single_flight("test")
    def stumble():
        raise psycopg2.OperationalError

    for _ in range(2):
        with pytest.raises(psycopg2.OperationalError):
            stumble()


def test_those_that_died_together_again_and_again_come_back_apart(waiting):
    """Else a neighbour of what kills its workers dies with it until it is taken for one itself."""
    waiting(Lane.EMAIL_EDUCATION, 50)
    with transaction() as connection:
        execute(connection, "UPDATE notifications SET state = 'claimed', claims = 3, lease_until = now()")
    assert recover_lapsed() == {"released": 50}
    with transaction() as connection:
        found = rows(connection, "SELECT extract(epoch FROM publish_after - updated_at) FROM notifications")
    pauses = sorted(float(pause) for (pause,) in found)
    assert 4 <= pauses[0] < pauses[-1] <= 12  # eight seconds, more or less
    assert pauses[-1] - pauses[0] > 2
