"""The sandbox's fields are the vendors': compared with what their generated SDKs read."""

import base64
import inspect
import json
import re
import typing

import pytest
from resend.emails._email import Email
from resend.suppressions import Suppression
from resend.webhooks import _webhook_event as webhook_events
from twilio.rest.api.v2010.account.message import MessageInstance

from sandbox.settings import DEFAULT_ACCOUNT_SID, DEFAULT_AUTH_TOKEN
from tests.sandbox.conftest import MARIA, SENDER, letter, wait_for

# Fields that Resend's SDK reads from every answer, and those that its API adds to what the SDK's type names.
ADDED_BY_THE_API = {"object", "scheduled_at", "tags", "http_headers"}


# resend-openapi of November 2026, schemas WebhookEvent…: field → its type, or all its values. Where the SDK's types lag
# behind it (`reason` of a suppression, lists of diagnostic codes), the description counts.
PUBLISHED = {
    "EmailBounce": {
        "diagnosticCode": list,
        "message": str,
        "subType": (
            "Undetermined", "General", "NoEmail", "MailboxFull", "MessageTooLarge", "ContentRejected",
            "AttachmentRejected",
        ),
        "type": ("Undetermined", "Transient", "Permanent"),
    },
    "EmailClick": {"ipAddress": str, "link": str, "timestamp": str, "userAgent": str},
    "EmailFailed": {"reason": str},
    "EmailSuppressed": {
        "diagnosticCode": list,
        "message": str,
        "reason": ("previous_bounce", "previous_complaint"),
        "type": ("Suppressed", "OnAccountSuppressionList"),
    },
}  # fmt: skip


def test_a_message_has_exactly_the_fields_that_twilios_sdk_reads(sandbox, twilio):
    message = twilio.messages.create(to=MARIA, from_=SENDER, body="Hello")
    wait_for(lambda: message.fetch().status == "delivered")
    read = set(re.findall(r'payload\.get\(\s*"(\w+)"', inspect.getsource(MessageInstance.__init__)))
    url = f"{sandbox.url}/2010-04-01/Accounts/{DEFAULT_ACCOUNT_SID}/Messages/{message.sid}.json"
    headers = {"Authorization": "Basic " + basic(DEFAULT_ACCOUNT_SID, DEFAULT_AUTH_TOKEN)}
    resource = sandbox.http.request("GET", url, headers=headers).json()
    assert resource.keys() == read
    kinds = {name: type(value) for name, value in resource.items()}
    assert (kinds["num_segments"], kinds["num_media"], kinds["price"]) == (str, str, str)


def basic(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def test_an_email_has_the_fields_that_resends_sdk_names(sandbox, mailer):
    sent = mailer.Emails.send(letter())
    named = set(typing.get_type_hints(Email))
    assert set(mailer.Emails.get(sent["id"])) - ADDED_BY_THE_API == named - ADDED_BY_THE_API
    row = mailer.Emails.list()["data"][0]
    assert set(row) - ADDED_BY_THE_API == named - {"html", "text"}
    mailer.Suppressions.add({"email": "maria@mail.test"})
    assert set(mailer.Suppressions.get("maria@mail.test")) - {"http_headers"} == set(
        typing.get_type_hints(Suppression)
    ) - {"http_headers"}


@pytest.mark.parametrize(
    "case",
    [
        ("bounced@resend.dev", "bounced", "EmailBouncedEventData", "EmailBounce"),
        ("clicked@resend.dev", "clicked", "EmailClickedEventData", "EmailClick"),
        ("failed@resend.dev", "failed", "EmailFailedEventData", "EmailFailed"),
        ("suppressed@resend.dev", "suppressed", "EmailSuppressedEventData", "EmailSuppressed"),
    ],
)
def test_an_event_has_the_fields_that_resends_sdk_names(sandbox, mailer, catcher, case):
    to, last, data_type, detail = case
    mailer.Emails.send(letter(to, tags=[{"name": "attempt", "value": "a-7"}]))

    def told():
        return [
            event
            for caught in catcher.at("/resend")
            if (event := json.loads(caught.body))["type"].endswith(last)
        ]

    (event,) = wait_for(told)
    hints = typing.get_type_hints(getattr(webhook_events, data_type))
    assert event.keys() == {"type", "created_at", "data"}
    assert event["data"].keys() == hints.keys() - {"broadcast_id", "template_id"}
    nested = typing.get_type_hints(getattr(webhook_events, detail))
    told_of = event["data"][detail_name(detail)]
    assert told_of.keys() >= nested.keys()
    assert told_of.keys() == PUBLISHED[detail].keys()
    for name, allowed in PUBLISHED[detail].items():
        assert (
            isinstance(told_of[name], allowed) if isinstance(allowed, type) else told_of[name] in allowed
        ), name


def detail_name(type_name):
    """EmailBounce → bounce."""
    return type_name.removeprefix("Email").lower()


def test_an_opened_event_says_no_more_than_is_published_and_carries_the_mails_own_headers(
    sandbox, mailer, catcher
):
    mailer.Emails.send(letter("opened@resend.dev", headers={"List-Unsubscribe": "<https://mingus.test/u/1>"}))

    def told():
        return [
            event
            for caught in catcher.at("/resend")
            if (event := json.loads(caught.body))["type"] == "email.opened"
        ]

    (event,) = wait_for(told)
    assert event["data"].keys() == {
        "created_at", "email_id", "message_id", "from", "to", "subject", "headers",
    }  # fmt: skip
    assert event["data"]["headers"] == [{"name": "List-Unsubscribe", "value": "<https://mingus.test/u/1>"}]


def test_a_mail_to_somebody_who_has_complained_says_so(sandbox, mailer, catcher):
    first = mailer.Emails.send(letter("maria@mail.test"))
    catcher.wait("/resend", 2)
    sandbox.call("POST", "/_sandbox/engage", {"email_id": first["id"], "kind": "complained"})
    catcher.wait("/resend", 3)
    mailer.Emails.send(letter("maria@mail.test"))
    event = json.loads(catcher.wait("/resend", 4)[-1].body)

    assert (event["type"], event["data"]["suppressed"]["reason"]) == (
        "email.suppressed",
        "previous_complaint",
    )
