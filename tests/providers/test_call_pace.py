"""The pace that a provider tells in its answers: learned by one worker, kept by all."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py

from core.redis import disconnect
from core.vocabulary import OutcomeKind
from delivery import call_pace
from delivery.call_pace import KEY_PREFIX, CallPace, await_turn, known, learn
from delivery.messages import LEASE_OVER
from delivery.providers import provider
from delivery.providers.base import Pace, TellsPace, tells_pace
from delivery.transmission import transmit
from tests.providers.people import API_KEY, mail, sms
from tests.providers.wire_server import WireServer, answer
from tests.sandbox.conftest import start_sandbox

ROOT = Path(__file__).parents[2]
A_WORKER = """
import json, sys, time
from delivery.transmission import transmit
from tests.providers.people import mail
outcomes = []
for number in range(int(sys.argv[2])):
    maya = mail(f"{sys.argv[1]}{number}@mail.test", key=f"{sys.argv[1]}-{number}")
    outcomes += transmit([("resend", maya)], deadline=time.monotonic() + 60).values()
print(json.dumps([each.code or str(each.kind) for each in outcomes]))
"""


@pytest.fixture(autouse=True)
def _nothing_learned() -> Iterator[None]:
    call_pace.forget()
    yield
    call_pace.forget()


@pytest.fixture
def resend_at(configure: Callable[..., None], redis: redis_py.Redis) -> Callable[[str], Any]:
    """Resend as the pipeline has it, at an address."""

    def at(url: str) -> Any:
        configure(MINGUS_RESEND_BASE_URL=url, MINGUS_TWILIO_BASE_URL=url, RESEND_API_KEY=API_KEY)
        return provider("resend")

    return at


def headers(limit: int, *, remaining: int = 1, window: int = 1) -> dict[str, str]:
    return {
        "ratelimit_limit": str(limit), "ratelimit_policy": f"{limit};w={window}",
        "ratelimit_remaining": str(remaining), "ratelimit_reset": "1",
    }  # fmt: skip


def send(*members: Any, seconds: float = 30) -> list[Any]:
    return list(
        transmit([("resend", each) for each in members], deadline=time.monotonic() + seconds).values()
    )


def test_what_one_worker_is_told_all_workers_know(
    resend_at: Any, server: WireServer, redis: redis_py.Redis
) -> None:
    resend_at(server.url)
    server.default = answer(200, {"id": "1"}, **headers(7, window=2))
    assert known("resend") is None
    send(mail())
    call_pace.forget()  # another worker

    assert known("resend") == CallPace(limit=7, window=2.0)
    assert 0 < redis.ttl(KEY_PREFIX + "resend") <= call_pace.KEPT_SECONDS


def test_a_refusal_teaches_too(resend_at: Any, server: WireServer) -> None:
    resend_at(server.url)
    server.default = answer(
        429, {"name": "rate_limit_exceeded", "message": "slow"}, **headers(3, remaining=0)
    )

    assert send(mail())[0].kind is OutcomeKind.RETRY_LATER
    assert known("resend") == CallPace(limit=3, window=1.0)


def test_a_batch_takes_one_turn(resend_at: Any, server: WireServer, redis: redis_py.Redis) -> None:
    resend_at(server.url)
    server.default = answer(200, {"data": [{"id": str(n)} for n in range(50)], "errors": []}, **headers(2))
    people = [mail(f"p{n}@mail.test", key="together") for n in range(50)]
    for _ in range(2):
        assert {each.kind for each in send(*people)} == {OutcomeKind.ACCEPTED}

    assert (
        redis.llen("mingus:{throttle}:calls:resend:grants") == 1
    )  # the first call was before anything was known


def test_who_gets_no_turn_in_time_has_sent_nothing_and_lost_no_try(
    resend_at: Any, server: WireServer
) -> None:
    resend_at(server.url)
    server.default = answer(200, {"id": "1"}, **headers(1, window=60))
    assert [each.kind for each in send(mail("a@mail.test"))] == [OutcomeKind.ACCEPTED]  # teaches
    assert [each.kind for each in send(mail("b@mail.test"))] == [
        OutcomeKind.ACCEPTED
    ]  # the minute's only turn

    (third,) = send(mail("c@mail.test"), seconds=0.5)
    assert third.code == LEASE_OVER.code
    assert len(server.requests) == 2


def test_a_critical_mail_has_a_turn_that_lessons_can_not_take(resend_at: Any, redis: redis_py.Redis) -> None:
    resend_at("http://127.0.0.1:9")
    redis.set(KEY_PREFIX + "resend", json.dumps({"limit": 5, "window": 60.0}))
    soon = time.monotonic() + 1
    turns = [await_turn("resend", holder=f"lesson{n}", urgent=False, until=soon) for n in range(5)]

    assert turns == [True] * 4 + [False]
    assert await_turn("resend", holder="alert", urgent=True, until=time.monotonic() + 1)


def test_a_provider_that_tells_no_pace_is_asked_for_none(
    resend_at: Any, server: WireServer, redis: redis_py.Redis
) -> None:
    resend_at(server.url)
    server.default = answer(201, {"sid": "SM1", "num_segments": "1"})
    redis.set(KEY_PREFIX + "twilio", json.dumps({"limit": 1, "window": 60.0}))
    given = [("twilio", sms(f"+1404555{n:04d}")) for n in range(5)]

    outcomes = transmit(given, deadline=time.monotonic() + 5).values()
    assert {each.kind for each in outcomes} == {OutcomeKind.ACCEPTED}
    assert not tells_pace(provider("twilio"))
    assert tells_pace(provider("resend"))
    assert isinstance(provider("resend"), TellsPace)


def test_without_redis_nothing_is_held_up(
    resend_at: Any, server: WireServer, configure: Callable[..., None]
) -> None:
    resend_at(server.url)
    configure(REDIS_URL="redis://127.0.0.1:9/0")
    disconnect()
    server.default = answer(200, {"id": "1"}, **headers(1, window=60))

    assert {send(mail(f"{n}@mail.test"))[0].kind for n in range(3)} == {OutcomeKind.ACCEPTED}
    disconnect()


def test_the_pace_is_told_again_before_it_is_forgotten(
    resend_at: Any, redis: redis_py.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = resend_at("http://127.0.0.1:9")
    carrier._client.pace = Pace(limit=2, remaining=2, reset=1.0)
    learn("resend")
    redis.flushdb()
    learn("resend")
    assert redis.get(KEY_PREFIX + "resend") is None
    monkeypatch.setattr(call_pace, "TOLD_AGAIN_AFTER", 0.0)
    learn("resend")
    assert redis.get(KEY_PREFIX + "resend") is not None


def test_three_workers_together_keep_to_what_resend_allows(
    tmp_path: Path, configure: Callable[..., None], redis: redis_py.Redis
) -> None:
    with start_sandbox(tmp_path / "paced", resend_api_key=API_KEY, resend_rate_limit="4") as sandbox:
        configure(MINGUS_RESEND_BASE_URL=sandbox.url, RESEND_API_KEY=API_KEY)
        send(mail("first@mail.test"))  # one has learned it
        began = time.monotonic()
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", A_WORKER, name, "8"], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
            for name in ("ana", "ben", "cleo")
        ]
        said = [json.loads(each.communicate(timeout=120)[0]) for each in workers]
        took = time.monotonic() - began
        sandbox.http.clear()
    answers = [code for each in said for code in each]

    assert len(answers) == 24
    # Resend counts by whole seconds and by arrival, we by any second and by departure: one may come too early.
    assert answers.count("rate_limit_exceeded") <= 3
    assert set(answers) <= {"accepted", "rate_limit_exceeded"}
    assert took > 24 / 4 - 2
