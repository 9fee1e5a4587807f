"""Double opt-in: marketing mail begins with the click of who owns the mailbox, and with nothing less."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from core.database import transaction
from core.errors import InvalidRequest, InvalidSignature
from core.statements import execute, rows
from core.vocabulary import Channel, Purpose
from delivery import Request, accept, confirmations, consents, deliver, suppressions
from delivery.catalog import catalog
from delivery.consents import ConsentEntry
from delivery.signed_links import CONFIRM, token_for
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("redis")
KEY = ("user_maya", Channel.EMAIL, Purpose.MARKETING)


def entry(granted: bool = True) -> ConsentEntry:
    return ConsentEntry(
        user_id=KEY[0],
        channel=KEY[1],
        purpose=KEY[2],
        granted=granted,
        method="web_form",
        wording="Yes, please",
    )


@pytest.fixture
def maya(people, provider):
    people(person("Maya", 101, consents=()))


def mails_about_learning(provider) -> int:
    payload = dict(catalog()["educational_content"].example)
    deliver(
        [
            accept(
                Request(user_id="user_maya", message_type="educational_content", payload=payload)
            ).notification_id
        ]
    )
    return sum(message["subject"] != confirmations.SUBJECT for message in provider.messages())


def test_nothing_is_sent_before_maya_has_confirmed(maya, provider):
    row = confirmations.request_confirmation(entry())
    (question,) = provider.messages()
    assert question["to"] == ["maya@mingus.example"]
    assert mails_about_learning(provider) == 0

    token = re.search(r"/confirm/([\w.-]+)", question["text"])
    assert token
    assert token[1] == token_for(row, purpose=CONFIRM)
    confirmations.confirm(token[1], ip="10.0.0.1")

    assert mails_about_learning(provider) == 1


def test_confirming_twice_leaves_one_row(maya, provider):
    token = token_for(confirmations.request_confirmation(entry()), purpose=CONFIRM)
    confirmations.confirm(token)
    confirmations.confirm(token)

    with transaction() as connection:
        found = rows(connection, "SELECT confirmed, method FROM consents ORDER BY at, id")
    assert found == [(False, "web_form"), (True, "double_opt_in")]


def test_who_has_confirmed_is_not_asked_again(maya, provider):
    first = confirmations.request_confirmation(entry())
    confirmations.confirm(token_for(first, purpose=CONFIRM))

    confirmations.request_confirmation(entry())

    assert len(provider.messages()) == 1


def test_a_mailbox_is_not_filled_by_asking_again_and_again(maya, provider):
    confirmations.request_confirmation(entry())
    with pytest.raises(InvalidRequest, match="email: was asked"):
        confirmations.request_confirmation(entry())
    assert len(provider.messages()) == 1


def test_a_link_ends_with_its_week_and_with_another_decision(maya, provider):
    token = token_for(confirmations.request_confirmation(entry()), purpose=CONFIRM)
    with pytest.raises(InvalidRequest, match="older than 7 days"):
        confirmations.confirm(token, now=datetime.now(UTC) + timedelta(days=8))
    with transaction() as connection:
        consents.record(connection, [entry(granted=False)])
    with pytest.raises(InvalidRequest, match="another decision"):
        confirmations.confirm(token)


def test_a_link_of_another_kind_confirms_nothing(maya, provider):
    row = confirmations.request_confirmation(entry())
    for token in (token_for(row), token_for(row, purpose=CONFIRM)[:-1] + "!", ""):
        with pytest.raises(InvalidSignature):
            confirmations.confirm(token)


def test_an_address_that_bounced_is_not_asked(maya, provider):
    with transaction() as connection:
        suppressions.suppress(
            connection,
            [
                suppressions.SuppressionRequest(
                    channel=Channel.EMAIL, reason="hard_bounce", source="test",
                    address_index=suppressions.address_index(Channel.EMAIL, "maya@mingus.example"),
                )
            ],
        )  # fmt: skip
    with pytest.raises(InvalidRequest, match="email: is an address"):
        confirmations.request_confirmation(entry())
    with transaction() as connection:
        execute(connection, "DELETE FROM contact_points")
    with pytest.raises(InvalidRequest, match="email: is missing"):
        confirmations.request_confirmation(entry())
    assert provider.messages() == []
