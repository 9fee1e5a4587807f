"""When a provider does not answer: found out, never guessed, never sent twice."""

import pytest

from core.database import transaction
from core.statements import execute
from delivery import deliver
from delivery.unknowns import resolve_unknown
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
from web.metrics import metrics

pytestmark = pytest.mark.usefixtures("redis")
TAKEN_AND_NOT_SAID = [
    {"kind": "accept_then_hang", "params": {"hang_seconds": 2}},
    {"kind": "5xx_after"},
    {"kind": "reset", "params": {"when": "after"}},
    {"kind": "malformed", "params": {"shape": "truncated"}},
    {"kind": "malformed", "params": {"shape": "empty"}},
    {"kind": "malformed", "params": {"shape": "html"}},
]
NOT_TAKEN_AND_NOT_SAID = [{"kind": "5xx_before"}, {"kind": "reset", "params": {"when": "before"}}]


def named(fault):
    return "-".join([fault["kind"], *(str(value) for value in fault.get("params", {}).values())])


@pytest.fixture
def maya(people, provider, configure):
    configure(**QUICK, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url)
    people(person("Maya", 101))
    return "user_maya"


def backlog():
    """How many wait in doubt, as the metrics tell it."""
    return sum(
        int(float(line.split()[-1]))
        for line in metrics().body.decode().splitlines()
        if line.startswith("mingus_notifications{") and 'state="unknown"' in line
    )


def grow_older(sent, *, hours):
    """Let its attempts have been opened longer ago."""
    with transaction() as connection:
        execute(
            connection,
            "UPDATE attempts SET opened_at = opened_at - make_interval(secs => %s) WHERE notification_id = %s",
            (hours * 3600, sent),
        )


@pytest.mark.parametrize("fault", TAKEN_AND_NOT_SAID, ids=named)
def test_a_text_that_twilio_took_without_saying_so_is_found_in_its_list(maya, provider, fault):
    provider.fault(provider="twilio", count=1, **fault)
    sent = alert(maya)
    deliver([sent])
    assert state_of(sent) == "unknown"
    assert backlog() == 1
    deliver([sent])
    look_for_the_lost()
    assert state_of(sent) in {"sent", "delivered"}
    assert len(taken(provider)) == 1
    (attempt,) = attempts_of(sent)
    assert (attempt["outcome"], attempt["resolved_by"]) == ("accepted", "found_at_provider")
    assert attempt["reference"].startswith("SM")
    assert not row_of(sent)["possible_duplicate"]
    assert backlog() == 0


@pytest.mark.parametrize("fault", NOT_TAKEN_AND_NOT_SAID, ids=named)
def test_a_text_that_twilio_surely_does_not_have_is_sent_again(maya, provider, fault):
    provider.fault(provider="twilio", count=1, **fault)
    sent = alert(maya)
    deliver([sent])
    assert state_of(sent) == "unknown"
    look_for_the_lost()
    assert state_of(sent) == "accepted"
    let_time_pass()
    deliver([sent])
    assert state_of(sent) in {"sent", "delivered"}
    assert len(taken(provider)) == 1
    assert [each["outcome"] for each in attempts_of(sent)] == ["retry_later", "accepted"]


@pytest.mark.parametrize("fault", TAKEN_AND_NOT_SAID + NOT_TAKEN_AND_NOT_SAID, ids=named)
def test_a_mail_in_doubt_is_repeated_with_the_same_key_and_bytes_and_arrives_once(maya, provider, fault):
    provider.fault(provider="resend", count=1, **fault)
    sent = report(maya)
    deliver([sent])
    assert state_of(sent) == "unknown"
    look_for_the_lost()
    assert state_of(sent) in {"sent", "delivered"}
    assert len(taken(provider)) == 1
    (attempt,) = attempts_of(sent)
    assert (attempt["outcome"], attempt["resolved_by"]) == ("accepted", "repeat")


@pytest.mark.parametrize("fault", TAKEN_AND_NOT_SAID + NOT_TAKEN_AND_NOT_SAID, ids=named)
def test_a_batch_in_doubt_is_repeated_whole_and_in_its_order(people, provider, configure, fault):
    configure(**QUICK, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url)
    people(*(person(f"P{n}", n) for n in range(30)))
    provider.fault(provider="resend", count=1, **fault)
    sent = lessons([f"user_p{n}" for n in range(30)])
    deliver(sent)
    assert {state_of(each) for each in sent} == {"unknown"}
    look_for_the_lost()
    assert {state_of(each) for each in sent} <= {"sent", "delivered"}
    assert len(taken(provider)) == 30
    assert len({message["to"][0] for message in taken(provider)}) == 30


HINDRANCES = [
    {"kind": "429"},
    {"kind": "5xx_before"},
    {"kind": "reset", "params": {"when": "before"}},
    {"kind": "429", "params": {"code": "daily_quota_exceeded"}},
]


@pytest.mark.parametrize("hindrance", HINDRANCES, ids=named)
def test_what_hinders_the_repeat_says_nothing_about_the_first_call(maya, provider, hindrance):
    provider.fault(provider="resend", count=1, kind="5xx_after")
    sent = report(maya)
    deliver([sent])
    provider.fault(provider="resend", count=1, **hindrance)
    look_for_the_lost()
    assert state_of(sent) == "unknown", "a refused repeat must not become a new attempt with a new key"
    look_for_the_lost()
    assert state_of(sent) in {"sent", "delivered"}
    assert len(taken(provider)) == 1


def test_a_repeat_while_the_first_call_still_hangs_stays_in_doubt_and_sends_nothing(maya, provider):
    provider.fault(provider="resend", count=1, kind="accept_then_hang", params={"hang_seconds": 3})
    sent = report(maya)
    deliver([sent])
    for _ in range(6):
        look_for_the_lost()
    assert len(taken(provider)) == 1
    assert state_of(sent) in {"unknown", "sent", "delivered"}


def test_a_provider_that_cannot_be_asked_leaves_the_message_in_doubt(maya, provider):
    provider.fault(provider="twilio", count=1, kind="5xx_after")
    provider.fault(provider="twilio", kind="5xx_before", scope="read")
    sent = alert(maya)
    deliver([sent])
    look_for_the_lost()
    assert (state_of(sent), row_of(sent)["reason"]) == ("unknown", "provider_silent")
    assert len(taken(provider)) == 1


def test_a_critical_alert_given_up_waiting_goes_by_mail_marked_as_a_possible_duplicate(
    maya, provider, configure
):
    configure(MINGUS_UNKNOWN_GIVE_UP_SECONDS="1")
    provider.fault(provider="twilio", count=1, kind="5xx_after")
    provider.fault(provider="twilio", kind="5xx_before", scope="read")
    sent = alert(maya)
    deliver([sent])
    with transaction() as connection:
        execute(connection, "UPDATE attempts SET opened_at = opened_at - interval '1 minute'")
    look_for_the_lost()
    deliver([sent])
    assert state_of(sent) in {"sent", "delivered"}
    assert row_of(sent)["possible_duplicate"] is True
    assert [message["to"] for message in taken(provider)] == ["+15125550101", ["maya@mingus.example"]]


@pytest.mark.parametrize("fault", ["5xx_after", "5xx_before"])
def test_a_mail_too_old_to_be_repeated_is_looked_for_in_the_list(maya, provider, configure, fault):
    """Resend forgets its keys: from then on the same call would be a second mail."""
    configure(MINGUS_UNKNOWN_GIVE_UP_SECONDS="1")
    provider.fault(provider="resend", kind=fault, count=1)
    sent, other = report(maya), report(maya)
    deliver([sent])
    deliver([other])
    grow_older(sent, hours=25)
    for _ in range(3):
        look_for_the_lost()
        deliver([sent])
    assert state_of(sent) in {"sent", "delivered"}
    assert len(taken(provider)) == 2
    assert not row_of(sent)["possible_duplicate"]


def test_a_mail_in_doubt_is_not_sent_after_its_time(maya, provider):
    provider.fault(provider="resend", kind="5xx_before", count=1)
    sent = report(maya)
    deliver([sent])
    with transaction() as connection:
        execute(connection, "UPDATE notifications SET expires_at = now()")
    grow_older(sent, hours=1)
    for _ in range(3):
        look_for_the_lost()
        deliver([sent])
    assert state_of(sent) == "dead"
    assert taken(provider) == []


@pytest.mark.parametrize(
    ("fault", "list_answers", "ends"),
    [
        ("5xx_before", True, (["twilio"], False)),
        ("5xx_after", True, (["resend"], False)),
        ("5xx_before", False, (["twilio"], True)),
        ("5xx_after", False, (["resend", "twilio"], True)),
    ],
)
def test_an_alert_whose_mail_stays_in_doubt_does_not_wait_for_its_provider_for_ever(
    maya, provider, fault, list_answers, ends
):
    """Ends are who took it and whether it is marked; MINGUS_UNKNOWN_GIVE_UP_SECONDS is 5 minutes."""
    provider.fault(provider="twilio", kind="429", count=1)
    provider.fault(provider="resend", kind=fault)
    sent = alert(maya)
    deliver([sent])
    look_for_the_lost()
    assert state_of(sent) == "unknown", "first the repeat is tried"
    if not list_answers:
        provider.fault(provider="resend", kind="5xx_before", scope="read")
    grow_older(sent, hours=0.1)
    look_for_the_lost()
    deliver([sent])
    assert state_of(sent) in {"sent", "delivered"}
    assert ([each["provider"] for each in taken(provider)], row_of(sent)["possible_duplicate"]) == ends


def test_in_the_end_a_person_looks_at_what_nobody_can_say(maya, provider):
    provider.fault(provider="resend", kind="5xx_after")
    provider.fault(provider="resend", kind="5xx_before", scope="read")
    sent = report(maya)
    deliver([sent])
    with transaction() as connection:
        execute(connection, "UPDATE attempts SET opened_at = opened_at - interval '8 days'")
        execute(connection, "UPDATE notifications SET expires_at = now() - interval '2 days'")
    look_for_the_lost()
    assert (state_of(sent), row_of(sent)["reason"]) == ("dead", "outcome_unknown")
    assert letters() == [("outcome_unknown", "unknown")]


def test_two_texts_of_the_same_words_to_one_person_do_not_find_the_same_record(maya, provider):
    provider.fault(provider="twilio", count=1, kind="5xx_after")
    first = alert(maya)
    deliver([first])
    provider.fault(provider="twilio", count=1, kind="5xx_before")
    second = alert(maya)
    deliver([second])
    look_for_the_lost()
    assert min(state_of(first), state_of(second)) == "accepted"
    let_time_pass()
    deliver([first, second])
    assert {state_of(first), state_of(second)} <= {"sent", "delivered"}
    assert len(taken(provider)) == 2


def test_an_erased_rendering_is_no_stumbling_block(maya, provider):
    provider.fault(provider="twilio", count=1, kind="5xx_after")
    sent, other = alert(maya, "one"), alert(maya, "two")
    deliver([sent])
    provider.fault(provider="twilio", count=1, kind="5xx_after")
    deliver([other])
    with transaction() as connection:
        execute(connection, "UPDATE attempts SET rendered_sealed = NULL WHERE notification_id = %s", (sent,))
    let_time_pass()
    assert resolve_unknown() == {"still_unknown": 1, "found_at_provider": 1}
    assert state_of(other) in {"sent", "delivered"}
