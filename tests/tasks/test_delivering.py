"""Alerts that come while others are under way are delivered together; a lone one waits for nobody."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.ids import new_id
from core.vocabulary import State
from tasks.delivering import Together


class Postman:
    """A delivery that waits for its signal and remembers who went with whom."""

    def __init__(self):
        self.parties = []
        self.go = threading.Event()
        self.under_way = threading.Semaphore(0)

    def __call__(self, ids):
        self.parties.append(list(ids))
        self.under_way.release()
        assert self.go.wait(60)
        return dict.fromkeys(ids, State.SENT)


def waits_for(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_lone_alert_goes_alone_and_at_once():
    postman = Postman()
    postman.go.set()
    together = Together(postman)
    alerts = [new_id(), new_id()]
    assert [together(each) for each in alerts] == [State.SENT, State.SENT]
    assert postman.parties == [[alerts[0]], [alerts[1]]]


def test_those_that_wait_for_a_place_are_taken_along_in_their_order():
    postman = Postman()
    together = Together(postman, most=3, patience=60)
    alerts = [new_id() for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(together, alerts[0])]
        assert postman.under_way.acquire(timeout=60)
        for place, each in enumerate(alerts[1:], start=1):
            answers.append(threads.submit(together, each))
            waits_for(lambda place=place: len(together._waiting) == place)
        postman.go.set()
        assert [each.result(60) for each in answers] == [State.SENT] * 8
    assert postman.parties == [alerts[:1], alerts[1:4], alerts[4:7], alerts[7:]]


def test_a_slow_delivery_is_joined_by_others_up_to_the_bound():
    postman = Postman()
    together = Together(postman, side_by_side=2, most=2, patience=0.01)
    alerts = [new_id() for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        answers = [threads.submit(together, each) for each in alerts]
        for _ in range(2):
            assert postman.under_way.acquire(timeout=60)
        time.sleep(0.1)
        assert len(postman.parties) == 2
        postman.go.set()
        assert [each.result(60) for each in answers] == [State.SENT] * 6
    assert sum(map(len, postman.parties)) == 6


def test_a_lost_database_is_told_to_everybody_and_blocks_nobody_after():
    calls = []

    def fails_once(ids):
        calls.append(ids)
        if len(calls) == 1:
            raise ConnectionError("the database is away")
        return dict.fromkeys(ids, State.SENT)

    together = Together(fails_once)
    with pytest.raises(ConnectionError):
        together(new_id())
    assert together(new_id()) is State.SENT


def test_an_id_that_was_not_ours_has_no_state():
    assert Together(lambda _: {})(new_id()) is None


def test_a_thousand_alerts_from_many_threads_are_each_delivered_once():
    delivered, lock = [], threading.Lock()

    def deliver(ids):
        with lock:
            delivered.extend(ids)
        return dict.fromkeys(ids, State.SENT)

    together = Together(deliver)
    alerts = [new_id() for _ in range(1000)]
    with ThreadPoolExecutor(32) as threads:
        assert set(threads.map(together, alerts)) == {State.SENT}
    assert sorted(delivered) == sorted(alerts)
    assert (together._under_way, len(together._waiting)) == (0, 0)
