"""Dead letters: listed, replayed through the whole pipeline, discarded, triaged; and the audit chain of all that."""

from datetime import datetime, timedelta

import psycopg2
import pytest
from typer.testing import CliRunner

from cli.main import app
from core.clock import utc_now
from core.database import transaction
from core.statements import execute, rows
from core.vocabulary import Channel, ErrorClass, Purpose
from delivery import audit, consents, dead_letters, deliver
from delivery.audit import Act
from delivery.consents import ConsentEntry
from delivery.dead_letters import Filter, open_letters
from delivery.ledger import Letter, bury
from delivery.triage import triage
from tests.delivery.stage import person
from tests.reliability.story import QUICK, alert, attempts_of, let_time_pass, report, row_of, state_of, taken
from web.metrics import metrics

pytestmark = pytest.mark.usefixtures("redis")
say = CliRunner().invoke


@pytest.fixture
def maya(people, provider, configure):
    configure(**QUICK, MINGUS_TWILIO_BASE_URL=provider.url, MINGUS_RESEND_BASE_URL=provider.url)
    people(person("Maya", 101))
    return "user_maya"


def dead(notification_id, error_class=ErrorClass.TRANSIENT_NETWORK, reason="retries_exhausted"):
    """Give a notification up; the id of its letter."""
    with transaction() as connection:
        execute(
            connection,
            "UPDATE notifications SET state = 'dead', tries = 3, final_at = now() WHERE id = %s",
            (notification_id,),
        )
        letter = Letter(notification_id=notification_id, reason=reason, error_class=error_class, attempts=3)
        bury(connection, [letter])
        ((letter_id,),) = rows(
            connection,
            "SELECT id FROM dead_letters WHERE notification_id = %s ORDER BY id DESC LIMIT 1",
            (notification_id,),
        )
    return letter_id


def chain():
    with transaction() as connection:
        return rows(connection, "SELECT actor, action, subject FROM audit_entries ORDER BY seq")


def open_alarms():
    with transaction() as connection:
        found = rows(connection, "SELECT subject FROM alarms WHERE ended_at IS NULL ORDER BY subject")
    return [subject for (subject,) in found]


def test_a_replayed_letter_is_sent_with_all_its_retries_and_stands_in_the_audit_chain(maya, provider):
    sent = report(maya)
    letter = dead(sent)
    (decision,) = dead_letters.replay([letter], actor="maya's engineer")
    assert decision.refused == ""
    assert (row_of(sent)["tries"], row_of(sent)["final_at"]) == (0, None)
    deliver([sent])
    assert state_of(sent) in {"sent", "delivered"}
    assert len(taken(provider)) == 1
    assert open_letters() == []
    assert chain() == [("maya's engineer", "dead_letter.replay", str(sent))]


def test_a_replay_twice_is_a_replay_once(maya, provider):
    sent = report(maya)
    letter = dead(sent)
    dead_letters.replay([letter, letter], actor="x")
    (again,) = dead_letters.replay([letter], actor="x")
    assert again.refused == "not_open"
    deliver([sent])
    assert len(taken(provider)) == len(chain()) == 1


def test_what_died_of_our_own_mistake_is_sent_by_the_same_route_once_that_is_mended(maya, provider):
    provider.fault(provider="resend", kind="429", params={"status": 422, "code": "validation_error"})
    sent = report(maya)
    deliver([sent])
    (letter,) = open_letters()
    assert (letter.error_class, state_of(sent)) == ("ours", "dead")
    provider.clear()
    dead_letters.replay([letter.id], actor="maya's engineer")
    deliver([sent])
    assert state_of(sent) in {"sent", "delivered"}
    assert len(taken(provider)) == 1


def test_a_dry_run_says_the_same_and_does_nothing(maya):
    sent, other = report(maya), alert(maya)
    letters = [dead(sent), dead(other)]
    with transaction() as connection:
        execute(connection, "UPDATE notifications SET expires_at = now() WHERE id = %s", (other,))
    tried = dead_letters.replay(letters, actor="x", dry_run=True)
    assert [each.refused for each in tried] == ["", "expired"]
    assert state_of(sent) == "dead"
    assert chain() == []
    real = dead_letters.replay(letters, actor="x")
    assert [each.refused for each in real] == ["", "expired"]


def test_what_a_provider_may_have_is_not_replayed(maya, provider):
    provider.fault(provider="twilio", kind="5xx_after")
    sent = alert(maya)
    deliver([sent])
    (decision,) = dead_letters.replay([dead(sent)], actor="x")
    assert decision.refused == "may_have_been_sent"
    assert state_of(sent) == "dead"


def test_a_replay_is_judged_anew(maya, provider):
    sent = alert(maya)
    letter = dead(sent)
    with transaction() as connection:
        consents.record(
            connection,
            [
                ConsentEntry(
                    user_id=maya, channel=channel, purpose=Purpose.ALERTS, granted=False, method="opt_out"
                )
                for channel in Channel
            ],
        )
    dead_letters.replay([letter], actor="x")
    deliver([sent])
    assert state_of(sent) == "skipped"
    assert taken(provider) == []


def test_replays_begin_one_after_the_other_and_not_after_the_messages_end(maya):
    soon = utc_now() + timedelta(minutes=5)
    letters = [dead(report(maya, expires_at=soon)) for _ in range(20)]
    now = utc_now()
    decisions = dead_letters.replay(letters, actor="x", per_minute=2, now=now)
    waits = [(each.due - now).total_seconds() for each in decisions if each.due]
    assert waits == [30.0 * n for n in range(10)]
    assert [each.refused for each in decisions[10:]] == ["expired"] * 10


def test_a_discarded_letter_is_closed_for_good(maya):
    sent = report(maya)
    letter = dead(sent)
    assert dead_letters.discard([letter], actor="x", why="asked for")[0].refused == ""
    assert dead_letters.discard([letter], actor="x")[0].refused == "not_open"
    assert dead_letters.replay([letter], actor="x")[0].refused == "not_open"
    assert state_of(sent) == "dead"
    assert len(chain()) == 1


def test_a_letter_whose_message_was_found_delivered_is_no_longer_open(maya):
    sent = report(maya)
    dead(sent)
    assert b"mingus_dead_letters_open 1.0" in metrics().body
    with transaction() as connection:
        execute(connection, "UPDATE notifications SET state = 'delivered' WHERE id = %s", (sent,))
    assert open_letters() == []
    assert b"mingus_dead_letters_open 0.0" in metrics().body


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), 3),
        (Filter(reason="render_failed"), 1),
        (Filter(reason="render%"), 0),
        (Filter(error_class="ours"), 1),
        (Filter(message_type="critical_financial"), 1),
        (Filter(since=utc_now() - timedelta(hours=1)), 3),
        (Filter(since=utc_now() + timedelta(hours=1)), 0),
        (Filter(reason="retries", message_type="monthly_report"), 1),
    ],
)
def test_letters_are_found_by_reason_class_type_and_time(maya, wanted, found):
    dead(report(maya))
    dead(alert(maya))
    dead(report(maya), ErrorClass.OURS, "render_failed: amount")
    assert len(open_letters(wanted)) == found


def test_triage_gives_one_more_life_to_what_a_bad_moment_killed_and_leaves_the_rest(maya, provider):
    bad_moment, busy, ours, account = (report(maya) for _ in range(4))
    dead(bad_moment)
    dead(busy, ErrorClass.CAPACITY)
    dead(ours, ErrorClass.OURS, "render_failed: amount")
    dead(account, ErrorClass.PROVIDER_ACCOUNT, "403")
    done = triage(actor="triage")
    assert done.replayed == {"transient_network": 1, "capacity": 1}
    assert done.staying == {("ours", "render_failed: amount"): 1, ("provider_account", "403"): 1}
    assert open_alarms() == ["ours/render_failed: amount", "provider_account/403"]
    assert [(actor, action) for actor, action, _ in chain()] == [("triage", "dead_letter.replay")] * 2
    assert {row_of(each)["tries"] for each in (bad_moment, busy)} == {0}
    let_time_pass()
    deliver([bad_moment, busy, ours, account])
    assert len(taken(provider)) == 2
    dead(bad_moment)
    again = triage(actor="triage")
    assert (again.replayed, again.staying["transient_network", "retries_exhausted"]) == ({}, 1)


def test_an_alarm_about_dead_letters_ends_when_a_person_has_settled_them(maya):
    letter = dead(report(maya), ErrorClass.OURS, "render_failed: amount")
    triage(actor="triage")
    assert open_alarms() == ["ours/render_failed: amount"]
    dead_letters.discard([letter], actor="maya's engineer")
    triage(actor="triage")
    assert open_alarms() == []


@pytest.mark.parametrize(
    ("error_class", "spoilt", "needs_a_person"),
    [
        ("transient_network", "UPDATE notifications SET expires_at = now() - interval '1 s'", False),
        ("unknown", "UPDATE attempts SET outcome = 'unknown'", True),
        ("transient_network", "UPDATE attempts SET closed_at = NULL, outcome = NULL", True),
        ("ours", "", True),
        ("permanent_consent", "", True),
        ("content_policy", "", True),
        ("provider_account", "", True),
    ],
    ids=[
        "expired",
        "may have been sent",
        "still open",
        "our code",
        "opted out",
        "refused content",
        "account",
    ],
)
def test_triage_leaves_a_letter_alone(maya, provider, error_class, spoilt, needs_a_person):
    provider.fault(provider="resend", kind="429", params={"retry_after": 1})
    sent = report(maya)
    deliver([sent])
    dead(sent, error_class)
    if spoilt:
        with transaction() as connection:
            execute(connection, spoilt)
    done = triage(actor="triage")
    assert done.replayed == {}
    assert state_of(sent) == "dead"
    assert bool(open_alarms()) is needs_a_person


def test_letters_that_stay_do_not_hide_those_that_can_be_helped(maya):
    old = dead(report(maya))
    for _ in range(5):
        dead(report(maya), ErrorClass.OURS, "render_failed: amount")
        tired = report(maya)
        dead(tired)
        dead(tired)
    assert triage(actor="triage", most=1).replayed == {"transient_network": 1}
    assert old not in {each.id for each in open_letters()}


def test_triage_begins_with_what_expires_soonest_and_spreads_the_rest(maya):
    soon = utc_now() + timedelta(minutes=2)
    later = [report(maya) for _ in range(19)]
    first = report(maya, expires_at=soon)
    for each in [*later, first]:
        dead(each, ErrorClass.CAPACITY)
    assert triage(actor="triage", now=(now := utc_now())).replayed == {"capacity": 20}
    due = [datetime.fromisoformat(row_of(each)["deliver_after"]) for each in [first, *later]]
    assert due[0] == now
    assert max(due) > now + timedelta(minutes=15)
    assert max(due) < now + timedelta(minutes=30)


def test_triage_sends_by_the_other_channel_when_the_address_is_dead(maya, provider):
    sent = alert(maya)
    provider.fault(provider="twilio", kind="429", params={"status": 400, "code": 21614})
    provider.fault(provider="resend", kind="429", params={"retry_after": 9000})
    deliver([sent])
    with transaction() as connection:
        execute(connection, "UPDATE attempts SET closes = '' WHERE provider = 'twilio'")
        execute(connection, "DELETE FROM suppressions")
    dead(sent, ErrorClass.PERMANENT_ADDRESS)
    provider.clear()
    assert triage(actor="triage").replayed == {"permanent_address": 1}
    let_time_pass()
    deliver([sent])
    assert [each["provider"] for each in taken(provider)] == ["resend"]
    assert attempts_of(sent)[0]["closes"] == "channel"


def test_the_command_lists_shows_replays_and_discards(maya):
    sent, other = report(maya), alert(maya)
    letter = dead(sent)
    dead(other, ErrorClass.OURS, "render_failed: amount")
    listed = say(app, ["dead-letters", "list"], terminal_width=200, env={"COLUMNS": "200"}).output
    assert str(letter) in listed
    assert "render_failed: amount" in listed
    assert "monthly_report" in say(app, ["dead-letters", "show", str(letter)]).output
    dry = say(app, ["dead-letters", "replay", "--class", "transient_network", "--dry-run"])
    assert dry.output == "1 would be sent again.\n"
    assert say(app, ["dead-letters", "replay", str(letter)]).output == "1 will be sent again.\n"
    assert (
        say(app, ["dead-letters", "replay", str(letter)]).output
        == "0 will be sent again.\n1 refused: not_open\n"
    )
    assert (
        say(app, ["dead-letters", "discard", "--class", "ours", "--since", "1h"]).output == "1 discarded.\n"
    )
    assert "2 entries, unbroken" in say(app, ["audit"]).output


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["replay"], "letters"),
        (["discard"], "letters"),
        (["list", "--class", "bad luck"], "--class"),
        (["list", "--type", "tea_time"], "message_type"),
        (["list", "--since", "yesterday"], "--since"),
        (["list", "--since", "999999999d"], "--since"),
        (["show", "00000000-0000-7000-8000-000000000000"], "letter"),
    ],
)
def test_a_wrong_word_is_told_in_one_line_that_names_it(maya, words, field):
    said = say(app, ["dead-letters", *words])
    assert said.exit_code == 1
    assert field in said.output
    assert said.output.count("\n") == 1


def acts(count):
    with transaction() as connection:
        audit.append(
            connection,
            [Act(actor=f"a{n}", action="did", subject=str(n), details={"n": n}) for n in range(count)],
        )


def verified():
    with transaction() as connection:
        return audit.verify(connection)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit_entries SET actor = 'nobody' WHERE subject = '2'",
        "UPDATE audit_entries SET details = '{}' WHERE subject = '2'",
        "UPDATE audit_entries SET at = at + interval '1 microsecond' WHERE subject = '2'",
        "DELETE FROM audit_entries WHERE subject = '2'",
        "UPDATE audit_entries SET subject = CASE subject WHEN '2' THEN '3' ELSE '2' END WHERE subject IN ('2', '3')",
    ],
)
def test_a_changed_or_missing_entry_breaks_the_chain(tampering):
    acts(3)
    acts(3)
    assert verified().broken_at is None
    with transaction() as connection:
        execute(connection, "SET LOCAL session_replication_role = replica")  # as a superuser could
        execute(connection, tampering)
    assert verified().broken_at is not None
    assert say(app, ["audit"]).exit_code == 1


@pytest.mark.usefixtures("database")
def test_the_chain_can_only_grow():
    acts(1)
    with pytest.raises(psycopg2.Error, match="append-only"), transaction() as connection:
        execute(connection, "DELETE FROM audit_entries")


@pytest.mark.usefixtures("database")
def test_writers_at_the_same_time_make_one_chain():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(acts, [3] * 40))
    found = verified()
    assert (found.entries, found.broken_at) == (120, None)
