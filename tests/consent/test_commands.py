"""The commands that support and operations use: mingus show, suppress, consent, inbound."""

import os
from datetime import timedelta
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from cli.main import app
from core.clock import utc_now
from core.database import transaction
from core.statements import rows
from core.vocabulary import Channel, EventKind, Purpose
from delivery import Request, accept, deliver, inbound
from delivery.catalog import catalog
from delivery.loading import consent_states
from delivery.messages import DeliveryEvent
from delivery.receipts import apply_waiting, receive
from tests.consent.test_receipts import NOW
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("redis")


@pytest.fixture
def maya(people, provider) -> None:
    people(person("Maya", 101))


def mingus(*words: str, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, words)
    assert result.exit_code == code, result.output
    return result.output


def notification(name: str, **given: object) -> str:
    accepted = accept(
        Request(user_id="user_maya", message_type=name, payload=dict(catalog()[name].example), **given)
    )
    deliver([accepted.notification_id])
    return str(accepted.notification_id)


def test_show_tells_why_a_message_was_sent_on_what_evidence_and_what_became_of_it(maya):
    which = notification("critical_financial", idempotency_key="order-7")
    with transaction() as connection:
        ((reference,),) = rows(connection, "SELECT reference FROM attempts")
    receive([DeliveryEvent("twilio", EventKind.DELIVERED, "k", NOW, reference=reference)])
    apply_waiting()

    told = mingus("show", which)

    for part in (
        "delivered",
        "sms by twilio",
        "consent wording_hash",
        "web_form",
        "try 1",
        "+15***01",
        reference,
        "accepted",
        "rules",
    ):
        assert part in told, part
    assert "5125550101" not in told
    assert mingus("show", "order-7") == told


def test_show_tells_why_a_message_was_not_sent(maya):
    mingus("consent", "withdraw", "user_maya", "email", "marketing", "--source", "a call")
    told = mingus("show", notification("educational_content"))

    assert "skipped" in told
    assert "consent_withdrawn" in told
    assert "The user has withdrawn their consent or objected." in told
    assert "staff" in told


def test_show_tells_why_a_message_went_by_another_channel_than_its_first(maya):
    mingus("consent", "withdraw", "user_maya", "sms", "alerts")
    told = mingus("show", notification("critical_financial"))
    assert "email by resend" in told
    assert "passed over" in told
    assert "sms: consent_withdrawn" in told


def test_show_names_the_reason_that_tells_most_when_no_channel_was_left(people, provider):
    people(person("Maya", 101, phone=""))
    mingus("consent", "withdraw", "user_maya", "email", "alerts")
    told = mingus("show", notification("critical_financial"))
    assert "skipped · consent_withdrawn" in told
    assert "sms: no_contact_point, email: consent_withdrawn" in told


def test_show_tells_why_a_message_waits_before_anybody_has_judged_it(maya):
    def accepted(**given: object) -> str:
        payload = dict(catalog()["educational_content"].example)
        request = Request(user_id="user_maya", message_type="educational_content", payload=payload, **given)
        return str(accept(request).notification_id)

    later = mingus("show", accepted(deliver_after=utc_now() + timedelta(days=1)))
    now = mingus("show", accepted())

    assert "accepted · scheduled · It was accepted for a later time" in later
    assert "accepted · queued · It is due and waits for a worker" in now
    for told in (later, now):
        assert "not judged yet" in told


@pytest.mark.parametrize("which", ["nothing", "9d767a23-d16a-47b7-8873-0a914d7cb9dd"])
def test_show_says_when_there_is_no_such_notification(maya, which):
    assert "there is none with the id or idempotency key" in mingus("show", which, code=1)


def test_an_address_is_suppressed_listed_and_lifted(maya, provider):
    mingus("suppress", "add", "email", "Maya@Mingus.Example", "--note", "asked us by letter")
    listed = mingus("suppress", "list")
    assert "user_maya" in listed
    assert "asked us by letter" in listed
    assert "maya@mingus" not in listed.lower()
    notification("monthly_report")
    assert provider.messages() == []

    assert "--reason" in mingus("suppress", "remove", "email", "maya@mingus.example", code=2)
    mingus("suppress", "remove", "email", "maya@mingus.example", "--reason", "she asked for mails again")
    notification("monthly_report")
    assert len(provider.messages()) == 1
    with transaction() as connection:
        ((action, subject, details),) = rows(connection, "SELECT action, subject, details FROM audit_entries")
    assert (action, subject.split(":")[0]) == ("suppression_lifted", "email")
    assert '"reason":"she asked for mails again"' in details
    assert '"was":"manual"' in details


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("suppress", "add", "sms", "12"), "address: is no address for sms"),
        (("suppress", "add", "sms", "+15125550101", "--reason", "whim"), "reason: must be one of"),
        (
            ("suppress", "remove", "sms", "+15125550101", "--reason", "a mistake"),
            "address: is not on the list",
        ),
        (("consent", "show", "user_nobody"), "user: no user 'user_nobody'"),
        (("consent", "withdraw", "user_nobody", "sms"), "user: no user 'user_nobody'"),
        (("inbound", "resolve", str(uuid4()), "opt_out"), "is not on the review list"),
        (("inbound", "resolve", str(uuid4()), "burn"), "intent: must be"),
    ],
)
def test_a_wrong_word_is_named_in_one_line(maya, words, said):
    told = mingus(*words, code=1)
    assert said in told
    assert "Traceback" not in told


def test_a_grant_and_a_withdrawal_stand_in_the_ledger_with_their_evidence(maya):
    mingus("consent", "withdraw", "user_maya", "sms")
    mingus(
        "consent",
        "grant",
        "user_maya",
        "sms",
        "wellness",
        "--wording",
        "Yes to check-ins",
        "--source",
        "call 12",
    )

    with transaction() as connection:
        states = consent_states(connection, ["user_maya"])
    allowed = {
        purpose for (_, channel, purpose), state in states.items() if channel is Channel.SMS and state.granted
    }
    assert allowed == {Purpose.WELLNESS}
    told = mingus("consent", "show", "user_maya")
    assert "call 12" in told
    assert "Yes to check-ins" not in told


def test_a_doubtful_message_is_read_and_decided_by_a_person(maya):
    form = {"From": "+15125550101", "Body": "who is this\x1b[31m?"}
    event = DeliveryEvent(
        "twilio",
        EventKind.RECEIVED,
        "SM1",
        NOW,
        reference="SM1",
        address=form["From"],
        text=form["Body"],
        raw=form,
    )
    receive([event])
    assert inbound.handle(event) == ""

    listed = mingus("inbound", "list")
    assert "who is this·[31m?" in listed
    assert "user_maya" in listed
    assert "+15***01" in listed
    with transaction() as connection:
        ((message_id,),) = rows(connection, "SELECT id FROM inbound_messages")

    assert "done" in mingus("inbound", "resolve", str(message_id), "opt_out")

    with transaction() as connection:
        states = consent_states(connection, ["user_maya"])
        reviewed = rows(
            connection, "SELECT reviewed_at IS NOT NULL, reviewed_by <> '', result FROM inbound_messages"
        )
    assert not any(state.granted for (_, channel, _), state in states.items() if channel is Channel.SMS)
    assert reviewed == [(True, True, "opt_out: done")]
    assert "who is this" not in mingus("inbound", "list")
    assert os.environ["DATABASE_URL"] not in listed
