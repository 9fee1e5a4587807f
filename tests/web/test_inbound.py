"""What people write back, from Twilio's webhook to the ledger and the answer."""

import re
from typing import Any
from uuid import uuid4

import pytest

from core.database import transaction
from core.statements import execute, rows
from core.vocabulary import Channel, ConsentLevel, Purpose
from delivery.loading import consent_states
from delivery.receipts import apply_waiting
from tests.delivery.stage import person
from tests.web.conftest import Web

MAYA, NOBODY = "+15125550101", "+15125559999"
INBOUND = "/webhooks/twilio/inbound"


@pytest.fixture
def maya(people, web: Web) -> None:
    people(person("Maya", 101), person("Noah", 102), person("Lena", 101, id="user_lena"))


def text(web: Web, body: str, *, sid: str = "", sender: str = MAYA, **more: str) -> str:
    """What Twilio is told to send back."""
    form = {
        "MessageSid": sid or f"SM{uuid4().hex}",
        "From": sender,
        "To": "+15005550006",
        "Body": body,
        "SmsStatus": "received",
    }
    answer = web.twilio(INBOUND, form | more)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/xml")
    found = re.fullmatch(
        r"<\?xml[^>]*\?><Response>(?:<Message>(.*)</Message>)?</Response>", answer.data.decode()
    )
    assert found
    return found[1] or ""


def texts_allowed(user_id: str = "user_maya", channel: Channel = Channel.SMS) -> dict[Purpose, ConsentLevel]:
    with transaction() as connection:
        states = consent_states(connection, [user_id])
    return {
        purpose: state.level
        for (_, way, purpose), state in states.items()
        if way is channel and state.granted
    }


def kept() -> list[tuple[Any, ...]]:
    with transaction() as connection:
        return rows(connection, "SELECT intent, result FROM inbound_messages ORDER BY recorded_at")


@pytest.mark.parametrize(
    "body", ["STOP", "stop", " Stop. ", "S T O P", "ＳＴＯＰ", "please stop texting me", "ALTO", "Opt-Out"]
)
def test_a_stop_ends_every_text_to_everybody_with_the_number(web: Web, maya: None, body: str) -> None:
    assert text(web, body).startswith("MINGUS: You are opted out")
    assert texts_allowed() == texts_allowed("user_lena") == {}
    assert texts_allowed("user_noah") != {}
    assert texts_allowed(channel=Channel.EMAIL) != {}


def test_a_second_stop_is_not_confirmed_again(web: Web, maya: None) -> None:
    assert text(web, "STOP") != ""
    assert text(web, "STOP") == ""


def test_the_same_webhook_twice_is_handled_and_answered_once(web: Web, maya: None) -> None:
    assert text(web, "STOP", sid="SM1") != ""
    text(web, "START")
    assert text(web, "STOP", sid="SM1") == ""
    assert texts_allowed() != {}


def test_where_twilio_has_judged_and_answered_we_obey_and_are_silent(web: Web, maya: None) -> None:
    assert text(web, "Stopp bitte", OptOutType="STOP") == ""
    assert texts_allowed() == {}
    assert text(web, "Hilfe", OptOutType="HELP") == ""
    assert text(web, "Start", OptOutType="START") == ""
    assert texts_allowed() != {}


def test_start_gives_back_what_the_stop_ended_but_no_written_consent(web: Web, maya: None) -> None:
    text(web, "STOP")

    assert text(web, "START").startswith("MINGUS: You get texts from us again")
    assert texts_allowed() == dict.fromkeys(Purpose, ConsentLevel.EXPRESS)


def test_start_gives_back_nothing_that_was_ended_on_the_preference_page(web: Web, maya: None) -> None:
    with transaction() as connection:
        execute(
            connection,
            "INSERT INTO consents (id, user_id, channel, purpose, action, method) VALUES (%s, 'user_maya', 'sms',"
            " 'marketing', 'withdraw', 'preference_page')",
            (uuid4(),),
        )
    text(web, "STOP")
    text(web, "START")

    assert Purpose.MARKETING not in texts_allowed()


def test_start_out_of_nothing_is_not_answered(web: Web, maya: None) -> None:
    assert text(web, "START") == ""


def test_help_says_who_why_how_often_and_how_to_stop(web: Web, maya: None) -> None:
    answer = text(web, "HELP")

    assert all(word in answer for word in ("MINGUS", "alerts", "frequency", "rates may apply", "@", "STOP"))
    assert texts_allowed() != {}


@pytest.mark.parametrize("body", ["stp", "who is this", "don't stop", "🛑"])
def test_doubtful_words_go_to_the_review_list_and_change_nothing(web: Web, maya: None, body: str) -> None:
    assert text(web, body) == ""
    assert kept() == [("review", "nothing_to_do")]
    assert len(texts_allowed()) == len(Purpose)


def test_thanks_means_nothing(web: Web, maya: None) -> None:
    assert text(web, "thanks a lot") == ""
    assert kept() == [("nothing", "nothing_to_do")]


def test_a_number_that_we_do_not_know_can_stop_and_start_too(web: Web, maya: None, people) -> None:
    assert text(web, "STOP", sender=NOBODY) != ""
    with transaction() as connection:
        assert rows(connection, "SELECT channel, reason FROM suppressions") == [("sms", "opted_out")]
    assert text(web, "START", sender=NOBODY) != ""
    with transaction() as connection:
        assert rows(connection, "SELECT channel FROM suppressions") == []


def test_neither_number_nor_words_are_kept_in_the_clear(web: Web, maya: None) -> None:
    text(web, "who is this canary")

    with transaction() as connection:
        ((address, words),) = rows(connection, "SELECT address_sealed, text_sealed FROM inbound_messages")
        ((event,),) = rows(connection, "SELECT event_sealed FROM callbacks")
    for sealed in (address, words, event):
        assert b"canary" not in bytes(sealed)
        assert b"5550101" not in bytes(sealed)


def test_what_the_web_app_left_behind_is_handled_by_the_worker(web: Web, maya: None) -> None:
    text(web, "STOP", sid="SM7")
    with transaction() as connection:
        execute(connection, "TRUNCATE inbound_messages")
        execute(connection, "UPDATE callbacks SET processed_at = NULL, result = '', due_at = now()")
        execute(connection, "SET session_replication_role = replica")
        execute(connection, "DELETE FROM consents WHERE action = 'withdraw'")
        execute(connection, "SET session_replication_role = origin")
    assert texts_allowed() != {}

    assert apply_waiting() == 1

    assert texts_allowed() == {}
    assert apply_waiting() == 0
