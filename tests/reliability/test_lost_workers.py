"""Workers that die, stall or stumble: what they held comes back, once, and their late words change nothing wrongly."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.clock import utc_now
from core.database import transaction
from core.ids import new_id
from core.statements import rows
from core.stopping import carry_on, stop_soon
from core.vocabulary import Channel, State
from delivery import deliver, dispatcher, ledger, providers, recovery
from delivery.loading import load
from delivery.messages import RenderedMessage, Transmission
from delivery.receipts import apply_waiting
from delivery.recovery import recover_lapsed
from tasks.delivering import deliver_safely
from tests.delivery.stage import person
from tests.reliability.story import (
    QUICK,
    alert,
    attempts_of,
    lessons,
    let_time_pass,
    letters,
    look_for_the_lost,
    report,
    row_of,
    state_of,
    taken,
)

pytestmark = pytest.mark.usefixtures("redis")


class Killed(BaseException):
    """Stands for SIGKILL: nothing below it may catch it, and nothing is cleaned up."""


@pytest.fixture
def maya(people, provider, configure):
    configure(**QUICK, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url)
    people(person("Maya", 101))
    return "user_maya"


@pytest.fixture
def dies_at(monkeypatch):
    """Let the next delivery die at a named point, as a kill -9 would: nothing is given back."""

    def arrange(point, times=1):
        left = [times]

        def die(name):
            if name == point and left[0]:
                left[0] -= 1
                raise Killed

        monkeypatch.setattr(dispatcher, "crash_point", die)
        monkeypatch.setattr(dispatcher.given_back_on_error, "__exit__", lambda *_: None)

    return arrange


def claim(*ids):
    with transaction() as connection:
        return ledger.claim(connection, ids, lease_seconds=5)


def still_held(claimed):
    with transaction() as connection:
        return [each.claimed for each in load(connection, claimed, utc_now()).work]


def killed(ids):
    with pytest.raises(Killed):
        deliver(ids)


def test_a_claim_whose_worker_died_before_the_call_goes_back_to_its_lane(maya, provider):
    sent = alert(maya)
    claim(sent)
    assert recover_lapsed() == {}
    let_time_pass()
    assert recover_lapsed() == {"released": 1}
    deliver([sent])
    assert state_of(sent) in {"sent", "delivered"}
    assert len(taken(provider)) == 1


@pytest.mark.parametrize("message", [alert, report])
@pytest.mark.parametrize("point", ["before_call", "after_call"])
def test_a_worker_that_dies_around_the_call_loses_and_repeats_nothing(
    maya, provider, dies_at, message, point
):
    sent = message(maya)
    dies_at(point)
    killed([sent])
    assert (state_of(sent), len(taken(provider))) == ("claimed", 0 if point == "before_call" else 1)
    for _ in range(2):
        look_for_the_lost()
        let_time_pass()
        deliver([sent])
    assert state_of(sent) in {"sent", "delivered"}
    assert len(taken(provider)) == 1
    assert not row_of(sent)["possible_duplicate"]


def test_a_claim_with_a_taken_attempt_is_sent_and_not_released(maya, provider):
    sent = alert(maya)
    deliver([sent])
    with transaction() as connection:
        rows(
            connection,
            "UPDATE notifications SET state = 'claimed', lease_until = now() - interval '1 s' WHERE id = %s RETURNING id",
            (sent,),
        )
    assert recover_lapsed() == {"sent": 1}


@pytest.fixture
def stalled(monkeypatch):
    """Let a delivery stop right before its settlement; what it returns says the late word."""

    def stall(ids):
        held = []
        settle = dispatcher.settle_surely

        def keep(*given, **options):
            held.append(lambda: settle(*given, **options))
            raise Killed

        monkeypatch.setattr(dispatcher, "settle_surely", keep)
        killed(ids)
        monkeypatch.setattr(dispatcher, "settle_surely", settle)
        return held[0]

    return stall


def test_the_late_word_of_a_stalled_worker_is_kept_and_moves_nothing_twice(maya, provider, stalled):
    sent = alert(maya)
    late_word = stalled([sent])
    look_for_the_lost()
    assert state_of(sent) in {"sent", "delivered"}
    late_word()
    apply_waiting()
    assert state_of(sent) in {"sent", "delivered"}
    assert row_of(sent)["cost"] > 0
    assert len(taken(provider)) == len(attempts_of(sent)) == 1


def test_a_late_yes_to_what_was_believed_unsent_stops_the_retry(maya, provider, stalled):
    sent = alert(maya)
    late_word = stalled([sent])
    provider.clear()  # the provider's list does not show it (yet)
    look_for_the_lost()
    assert state_of(sent) == "accepted"
    late_word()
    assert state_of(sent) == "sent"
    let_time_pass()
    deliver([sent])
    assert taken(provider) == []


def test_a_late_yes_after_a_second_send_says_that_the_person_may_have_got_it_twice(maya, provider, stalled):
    sent = alert(maya)
    late_word = stalled([sent])
    provider.clear()
    look_for_the_lost()
    let_time_pass()
    deliver([sent])
    assert len(taken(provider)) == 1
    late_word()
    assert row_of(sent)["possible_duplicate"] is True


def test_a_message_under_a_lapsed_claim_is_not_sent_by_the_worker_that_lost_it(maya, provider):
    sent = alert(maya)
    mine = claim(sent)
    let_time_pass()
    recover_lapsed()
    assert still_held(mine) == []
    theirs = claim(sent)
    assert still_held(mine) == []
    assert still_held(theirs) == theirs


def test_a_fence_that_was_given_out_twice_is_told_apart_by_its_lease(maya):
    """A server that crashes may forget a claim whose commit was not waited for, and give its fence to another."""
    sent = alert(maya)
    mine = claim(sent)
    with transaction() as connection:
        rows(
            connection,
            "UPDATE notifications SET state = 'accepted', fence = 0 WHERE id = %s RETURNING id",
            (sent,),
        )
    theirs = claim(sent)
    assert theirs[0].fence == mine[0].fence
    assert still_held(mine) == []
    assert still_held(theirs) == theirs


def test_a_poison_message_is_buried_and_its_neighbours_are_delivered(
    people, provider, configure, dies_at, monkeypatch
):
    configure(**QUICK, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url)
    people(*(person(f"P{n}", n) for n in range(8)))
    sent = lessons([f"user_p{n}" for n in range(8)])
    poison = sent[3]
    loading = dispatcher.load

    def load(connection, claimed, now):
        if any(each.id == poison for each in claimed):
            raise Killed
        return loading(connection, claimed, now)

    dies_at("nowhere")
    monkeypatch.setattr(dispatcher, "load", load)
    killed(sent)
    for _ in range(8):
        let_time_pass()
        recover_lapsed()
        let_time_pass()
        for lane in recovery.due({"email_education": 100}).values():
            trusted = [each.id for each in lane if not each.is_suspect]
            for chunk in [trusted, *([each.id] for each in lane if each.is_suspect)]:
                try:
                    deliver(chunk)
                except Killed:
                    assert chunk == [poison], "a suspect travels alone"
    assert state_of(poison) == "dead"
    assert letters() == [("kills_its_worker", "ours")]
    assert {state_of(each) for each in sent if each != poison} <= {"sent", "delivered"}
    assert len(taken(provider)) == 7


@pytest.mark.parametrize("place", ["load", "make_plan", "prepare", "write_plan"])
def test_an_error_of_ours_in_one_does_not_hold_up_its_neighbours(
    people, provider, configure, monkeypatch, place
):
    configure(**QUICK, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url)
    people(*(person(f"P{n}", n) for n in range(5)))
    sent = lessons([f"user_p{n}" for n in range(5)])
    bad = sent[2]
    real = getattr(dispatcher, place)

    def stumble(*given, **options):
        with transaction() as connection:
            found = rows(connection, "SELECT id FROM notifications WHERE state = 'claimed'")
        if (bad,) in found:
            raise ZeroDivisionError
        return real(*given, **options)

    monkeypatch.setattr(dispatcher, place, stumble)
    deliver_safely(sent)
    assert {state_of(each) for each in sent if each != bad} <= {"sent", "delivered"}
    assert (state_of(bad), row_of(bad)["reason"]) == ("accepted", "crashed")
    assert row_of(bad)["publish_after"] > row_of(bad)["updated_at"], "it waits before it is tried again"
    for _ in range(6):
        let_time_pass()
        deliver_safely([bad])
    assert state_of(bad) == "dead"
    assert letters() == [("kills_its_worker", "ours")]
    with transaction() as connection:
        ((reference,),) = rows(connection, "SELECT trace_reference FROM dead_letters")
    assert len(reference) == 32


def test_a_stopping_worker_finishes_its_call_claims_nothing_new_and_says_so_at_once(maya, provider):
    first, second = alert(maya, "one"), alert(maya, "two")
    provider.fault(provider="twilio", count=1, kind="latency", params={"fixed_ms": 400})
    try:
        with ThreadPoolExecutor() as threads:
            under_way = threads.submit(deliver, [first])
            threading.Event().wait(0.2)
            stop_soon()
            assert deliver([second]).states == {}
            assert under_way.result().states[first][0] is State.SENT
    finally:
        carry_on()
    assert [due.id for due in recovery.due({"sms_critical": 10})["sms_critical"]] == [second]


def test_calls_that_were_not_begun_when_the_worker_stops_are_given_back_untried(people, provider, configure):
    configure(**QUICK, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_PROVIDER_CONNECTIONS="2")
    people(*(person(f"P{n}", n) for n in range(12)))
    sent = [alert(f"user_p{n}") for n in range(12)]
    provider.fault(provider="twilio", kind="latency", params={"fixed_ms": 200})
    try:
        with ThreadPoolExecutor() as threads:
            under_way = threads.submit(deliver, sent)
            threading.Event().wait(0.5)
            stop_soon()
            under_way.result()
    finally:
        carry_on()
    states = [state_of(each) for each in sent]
    assert 2 <= states.count("sent") <= 8
    assert states.count("sent") + states.count("accepted") == 12
    assert all(row_of(each)["tries"] == 0 for each in sent)
    let_time_pass()
    deliver(sent)
    assert len(taken(provider)) == 12
    assert len({message["to"] for message in taken(provider)}) == 12


@pytest.mark.parametrize(("name", "how_many"), [("twilio", 1), ("twilio", 5), ("resend", 1), ("resend", 5)])
def test_nothing_leaves_after_the_lease_even_if_a_paused_worker_wakes_up_in_the_middle(
    maya, provider, name, how_many
):
    mail = RenderedMessage(channel=Channel.EMAIL, body="b", subject="s", template="t")
    text = RenderedMessage(channel=Channel.SMS, body="b", template="t")
    late = [
        Transmission(
            attempt_id=new_id(), notification_id=new_id(), message_type="x", key="k",
            address="+15125550101" if name == "twilio" else "maya@mingus.example",
            message=text if name == "twilio" else mail, send_before=time.monotonic() - 0.1,
        )
        for _ in range(how_many)
    ]  # fmt: skip
    outcomes = providers.provider(name).transmit(late, key="k")
    assert [each.code for each in outcomes] == ["lease_over"] * how_many
    assert taken(provider) == []


def test_what_was_too_late_to_send_is_due_again_without_a_try_counted(maya, provider, monkeypatch):
    sent = alert(maya)
    transmit = dispatcher.transmit
    monkeypatch.setattr(
        dispatcher, "transmit", lambda given, deadline: transmit(given, deadline=deadline - 60)
    )
    deliver([sent])
    assert taken(provider) == []
    assert (state_of(sent), row_of(sent)["tries"]) == ("accepted", 0)
    assert [each["code"] for each in attempts_of(sent)] == ["lease_over"]
