"""The limiter against real Redis: exact in every window, fair in line, and quick for a batch."""

import os
import time
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.settings import settings as product_settings
from delivery.throttle import AWAY_KEY, KEY_PREFIX, Bucket, TokenRequest, answered_without, spend

START = 1_800_000_000.0


def ask(
    holder: str, bucket: Bucket, cost: int = 1, *, urgent: bool = False, before: float = 86_400
) -> TokenRequest:
    return TokenRequest(holder=holder, tokens=[(bucket, cost)], urgent=urgent, before=before)


def waits(requests: Sequence[TokenRequest], after: float = 0.0) -> list[float | None]:
    return [answer.wait for answer in spend(requests, at=START + after)]


def most_in_a_window(instants: Sequence[float], seconds: float = 60.0) -> int:
    """The largest number of instants in any half-open window."""
    ordered = sorted(instants)
    return max((bisect_left(ordered, one + seconds) - index for index, one in enumerate(ordered)), default=0)


def test_ten_alerts_go_at_once_and_the_eleventh_waits_for_the_exact_instant(redis):
    alerts = Bucket(key="alerts", limit=10)
    assert waits([ask(f"alert {n}", alerts) for n in range(10)]) == [0.0] * 10
    assert waits([ask("the eleventh", alerts)], after=20) == [40.0]
    assert waits([ask("the eleventh", alerts)], after=60) == [0.0]


def test_those_who_wait_each_have_their_own_instant_and_nobody_comes_at_the_full_minute(redis):
    bucket = Bucket(key="checkins", limit=60)
    waiting = waits([ask(str(n), bucket) for n in range(240)])
    assert waiting[:60] == [0.0] * 60
    late = [one for one in waiting[60:] if one is not None]
    assert late[0] == 60.0
    assert all(1.0 < b - a < 1.1 for a, b in pairwise(late))


def test_asking_early_repeats_the_answer_and_takes_no_second_place(redis):
    bucket = Bucket(key="b", limit=1)
    assert waits([ask("first", bucket), ask("maya", bucket), ask("omar", bucket)]) == [0.0, 60.0, 121.0]
    assert waits([ask("maya", bucket), ask("maya", bucket)], after=10) == [50.0, 50.0]
    assert waits([ask("lee", bucket)], after=10) == [172.0]


def test_newcomers_stand_behind_those_who_wait(redis):
    bucket = Bucket(key="b", limit=2)
    waits([ask("a", bucket), ask("b", bucket), ask("maya", bucket)])
    assert waits([ask("newcomer", bucket)], after=60)[0] == pytest.approx(30.5)
    assert waits([ask("maya", bucket)], after=60.9) == [0.0]


def test_when_nobody_waits_the_whole_window_is_free_again(redis):
    bucket = Bucket(key="b", limit=5)
    waits([ask(str(n), bucket) for n in range(6)])
    assert waits([ask("5", bucket)], after=60) == [0.0]
    assert waits([ask(f"later {n}", bucket) for n in range(4)], after=60.1) == [0.0] * 4


def test_who_does_not_come_back_holds_the_others_up_for_a_minute_at_most(redis):
    bucket = Bucket(key="b", limit=2)
    waits([ask(name, bucket) for name in ("a", "b", "withdrawn", "withdrawn too")])
    assert waits([ask("c", bucket), ask("d", bucket)], after=152) == [0.0, 0.0]


def test_latecomers_after_an_outage_keep_to_the_limit(redis):
    bucket = Bucket(key="b", limit=10)
    waits([ask(str(n), bucket) for n in range(30)])
    back = waits([ask(str(n), bucket) for n in range(10, 30)], after=115)
    assert back[:10] == [0.0] * 10
    assert all(one is not None and one > 4 for one in back[10:])


def test_a_token_after_the_deadline_is_refused_and_takes_no_place(redis):
    bucket = Bucket(key="b", limit=1)
    assert waits([ask("first", bucket), ask("too short a life", bucket, before=60)]) == [0.0, None]
    assert waits([ask("next", bucket)]) == [60.0]


def test_segments_are_what_a_provider_counts_and_a_longer_message_than_the_limit_takes_all_of_it(redis):
    pace = Bucket(key="provider", limit=10)
    assert waits([ask("long", pace, 8), ask("longer", pace, 30), ask("short", pace)]) == [
        0.0, 60.0, pytest.approx(121.0),
    ]  # fmt: skip


def test_all_buckets_or_none(redis):
    kind, pace = Bucket(key="kind", limit=100), Bucket(key="pace", limit=1)
    both = [TokenRequest(holder=name, tokens=[(kind, 1), (pace, 1)], before=3600) for name in ("a", "b")]
    assert waits(both) == [0.0, 60.0]
    assert redis.llen(f"{KEY_PREFIX}kind:grants") == 1


def test_critical_keeps_its_share_of_a_shared_bucket(redis):
    pace = Bucket(key="pace", limit=10, reserve=2)
    assert waits([ask(f"bulk {n}", pace) for n in range(50)])[7:9] == [0.0, 60.0]
    assert waits([ask("alert", pace, urgent=True), ask("second alert", pace, urgent=True)]) == [0.0, 0.0]
    assert waits([ask("third alert", pace, urgent=True)]) == [60.0]


def test_redis_away_lets_critical_pass_and_the_rest_wait(redis, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    product_settings.cache_clear()
    try:
        bucket = Bucket(key="b", limit=1)
        answers = spend([ask("alert", bucket, urgent=True), ask("reminder", bucket)])
    finally:
        product_settings.cache_clear()
    assert [(one.wait, one.redis_away) for one in answers] == [(0.0, True), (30.0, True)]


def test_what_went_by_without_the_limiter_is_counted_once_redis_is_back(redis, monkeypatch):
    bucket = Bucket(key="b", limit=100)
    spend([ask("before", bucket)])  # tells what earlier tests have left
    redis.delete(AWAY_KEY)
    with monkeypatch.context() as outage:
        outage.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
        product_settings.cache_clear()
        spend([ask("alert", bucket, urgent=True), ask("reminder", bucket), ask("lesson", bucket)])
        assert answered_without() == {}
    product_settings.cache_clear()
    for again in ("another", "a third"):
        spend([ask(again, bucket)])
        assert answered_without() == {"passed": 1, "held": 2}


def test_keys_leave_redis_when_nobody_uses_them(redis):
    waits([ask(str(n), Bucket(key="b", limit=5)) for n in range(9)])
    keys = list(redis.scan_iter(match=f"{KEY_PREFIX}*"))
    assert len(keys) == 3
    assert all(0 < redis.pttl(key) < 300_000 for key in keys)


@pytest.mark.parametrize(("limit", "reserve", "seconds"), [(0, 0, 60), (5, 5, 60), (5, -1, 60), (5, 0, 0)])
def test_a_bucket_that_nobody_could_pass_is_refused(limit, reserve, seconds):
    with pytest.raises(ValueError, match="bucket b"):
        Bucket(key="b", limit=limit, reserve=reserve, seconds=seconds)


arrivals = st.lists(
    st.tuples(
        st.floats(0, 300),
        st.integers(1, 3),
        st.booleans(),
        st.floats(0, 5),
        st.sampled_from(["kind", "other"]),
    ),
    max_size=60,
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals=arrivals, limit=st.integers(2, 8), reserve=st.integers(0, 1))
def test_whatever_comes_whenever_no_window_holds_more_than_the_limit_and_all_get_through(
    redis, arrivals, limit, reserve
):
    """Messages arrive, wait, come back late (up to five seconds), and are asked for again until they pass."""
    redis.flushdb()
    pace = Bucket(key="pace", limit=limit, reserve=reserve)
    due = sorted(
        (at, f"m{n}", cost, urgent, late, kind) for n, (at, cost, urgent, late, kind) in enumerate(arrivals)
    )
    sent: list[tuple[float, int, str]] = []
    asked = 0
    while due:
        moment, holder, cost, urgent, late, kind = due.pop(0)
        asked += 1
        assert asked < 60 * len(arrivals), "messages wait for ever"
        request = TokenRequest(
            holder=holder, tokens=[(Bucket(key=kind, limit=3), 1), (pace, cost)], urgent=urgent, before=1e6
        )
        (answer,) = spend([request], at=START + moment)
        assert answer.wait is not None
        if answer.wait == 0:
            sent.append((moment, min(cost, limit), kind))
        else:
            due.append((moment + answer.wait + late, holder, cost, urgent, late, kind))
            due.sort()
    # Microseconds are what Redis counts in.
    assert most_in_a_window([m for m, cost, _ in sent for _ in range(cost)], 60 - 2e-6) <= limit
    for kind in ("kind", "other"):
        assert most_in_a_window([m for m, _, one in sent if one == kind], 60 - 2e-6) <= 3


def test_a_chunk_of_two_hundred_costs_a_few_milliseconds(redis):
    bucket, pace = Bucket(key="kind", limit=100), Bucket(key="pace", limit=5000)
    chunks = [
        [TokenRequest(holder=f"{c}:{n}", tokens=[(bucket, 1), (pace, 2)], before=1e9) for n in range(200)]
        for c in range(10)
    ]
    spend(chunks[0])
    begun = time.perf_counter()
    for chunk in chunks:
        spend(chunk)
    per_chunk = (time.perf_counter() - begun) / len(chunks)
    assert per_chunk < 0.1 * (4 if os.environ.get("PYTEST_XDIST_WORKER") else 1)
