"""Many calls at a time: in order, never wider than told, and nothing begun after an interruption."""

import threading
import time

import pytest

from delivery.providers.side_by_side import SideBySide


def test_results_come_in_the_order_of_the_items():
    def slow_for_the_first(item: int) -> int:
        time.sleep(0.02 if item < 4 else 0)
        return item * item

    assert SideBySide("t", 4).map(slow_for_the_first, range(40)) == [n * n for n in range(40)]


def test_never_more_calls_at_once_than_the_width_even_for_two_callers():
    gate, now, most = threading.Lock(), [0], [0]

    def call(_: int) -> None:
        with gate:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.002)
        with gate:
            now[0] -= 1

    calls = SideBySide("t", 3)
    callers = [threading.Thread(target=calls.map, args=(call, range(30))) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert most[0] == 3


def test_one_call_stays_in_the_callers_thread():
    assert SideBySide("t", 4).map(lambda _: threading.get_ident(), [1]) == [threading.get_ident()]
    assert SideBySide("t", 4).map(lambda _: 1, []) == []


@pytest.mark.parametrize("failure", [IndexError, RuntimeError])
def test_a_bug_in_a_call_is_told_and_the_rest_is_not_begun(failure: type[Exception]):
    begun = []

    def call(item: int) -> int:
        begun.append(item)
        time.sleep(0.005)
        raise failure(item)

    with pytest.raises(failure):
        SideBySide("t", 2).map(call, range(100))
    seen = len(begun)
    time.sleep(0.05)

    assert len(begun) <= seen + 2 < 10
