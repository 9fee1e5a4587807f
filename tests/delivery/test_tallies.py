"""Counts that may wait are told together, and all of them."""

import threading

from delivery.tallies import TOLD_FROM, Tally


def test_the_first_is_told_at_once_and_the_next_wait():
    tally = Tally()
    assert tally.add({"twilio": 1}) == {"twilio": 1}
    assert tally.add({"twilio": 1}) == {}
    assert tally.add({"resend": 2}, now_at_once=True) == {"twilio": 1, "resend": 2}


def test_many_do_not_wait():
    tally = Tally()
    tally.add({"twilio": 1})
    told = [tally.add({"twilio": 1}) for _ in range(TOLD_FROM)]
    assert told[:-1] == [{}] * (TOLD_FROM - 1)
    assert told[-1] == {"twilio": TOLD_FROM}


def test_nothing_is_told_twice_or_forgotten_among_threads():
    tally, told, lock = Tally(), [], threading.Lock()

    def count():
        for _ in range(1000):
            if found := tally.add({"twilio": 1}):
                with lock:
                    told.append(found["twilio"])

    threads = [threading.Thread(target=count) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sum(told) + tally.add({}, now_at_once=True).get("twilio", 0) == 8000
