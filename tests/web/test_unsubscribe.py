"""RFC 8058 and the page behind it: looking changes nothing, one click ends it, a forged link opens nothing."""

from typing import Any
from uuid import uuid4

import pytest

from core.database import transaction
from core.statements import rows
from core.vocabulary import Channel, Purpose
from delivery import Request, accept
from delivery.catalog import catalog
from delivery.consents import ConsentEntry, record
from delivery.loading import consent_states
from delivery.signed_links import CONFIRM, token_for
from tests.delivery.stage import person
from tests.web.conftest import Web

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def token(people, web: Web) -> str:
    """The link of a mail about learning that Maya got."""
    people(person("Maya", 101), person("Noah", 102))
    return link_of("user_maya", "educational_content")


def link_of(user_id: str, name: str) -> str:
    accepted = accept(Request(user_id=user_id, message_type=name, payload=dict(catalog()[name].example)))
    return token_for(accepted.notification_id)


def granted(user_id: str = "user_maya") -> set[tuple[str, str]]:
    with transaction() as connection:
        states = consent_states(connection, [user_id])
    return {(str(channel), str(purpose)) for (_, channel, purpose), state in states.items() if state.granted}


def ledger(user_id: str = "user_maya") -> list[tuple[Any, ...]]:
    with transaction() as connection:
        return rows(
            connection,
            "SELECT channel, purpose, method FROM consents WHERE user_id = %s AND action = 'withdraw' ORDER BY at, purpose",
            (user_id,),
        )


ALL = {(str(channel), str(purpose)) for channel in Channel for purpose in Purpose}


def test_looking_at_the_link_changes_nothing(web: Web, token: str) -> None:
    answers = [
        web.get(f"/u/{token}"),
        web.http.request("HEAD", f"{web.url}/u/{token}"),
        web.get(f"/u/{token}?List-Unsubscribe=One-Click"),
    ]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert "Unsubscribe?" in answers[0].data.decode()
    assert granted() == ALL


def test_one_click_ends_mails_of_this_purpose_for_this_person_only(web: Web, token: str) -> None:
    answer = web.post(f"/u/{token}", ONE_CLICK)

    assert answer.status == 200
    assert "You are unsubscribed" in answer.data.decode()
    assert granted() == ALL - {("email", "marketing")}
    assert ledger() == [("email", "marketing", "one_click")]
    assert granted("user_noah") == ALL


def test_a_multipart_click_counts_as_well(web: Web, token: str) -> None:
    answer = web.http.request("POST", f"{web.url}/u/{token}", fields=ONE_CLICK)

    assert answer.status == 200
    assert ("email", "marketing") not in granted()


def test_the_button_ends_it_and_says_how_it_was_done(web: Web, token: str) -> None:
    assert web.post(f"/u/{token}", {"unsubscribe": "yes"}).status == 200
    assert ledger() == [("email", "marketing", "unsubscribe_page")]


def test_a_second_click_is_no_error_and_no_second_row(web: Web, token: str) -> None:
    assert [web.post(f"/u/{token}", ONE_CLICK).status for _ in range(3)] == [200, 200, 200]
    assert len(ledger()) == 1
    assert "You are unsubscribed" in web.get(f"/u/{token}").data.decode()


def test_the_click_that_ended_it_is_kept_as_evidence_but_sealed(web: Web, token: str) -> None:
    web.post(f"/u/{token}", ONE_CLICK, user_agent="Mail/1.0 canary")

    with transaction() as connection:
        ((ip, agent, source),) = rows(
            connection, "SELECT ip_sealed, agent_sealed, source FROM consents WHERE action = 'withdraw'"
        )
    assert source.startswith("notification:")
    assert b"127.0.0.1" not in bytes(ip)
    assert b"canary" not in bytes(agent)


def test_a_post_that_says_nothing_does_nothing(web: Web, token: str) -> None:
    assert web.post(f"/u/{token}", {"hello": "world"}).status == 400
    assert granted() == ALL


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: ("A" if token[0] != "A" else "B") + token[1:],
        lambda token: token[:20],
        lambda token: token + "x",
        lambda _: token_for(uuid4(), purpose=CONFIRM),
        lambda _: "%C3%A9" * 22 + "." + "x" * 22,
        lambda _: "x",
    ],
)
def test_a_forged_link_shows_and_changes_nothing(web: Web, token: str, forge: Any) -> None:
    forged = forge(token)

    for path in (f"/u/{forged}", f"/preferences/{forged}"):
        assert web.get(path).status == 403
        assert web.post(path, ONE_CLICK).status == 403
    assert granted() == ALL


def test_a_genuine_link_to_a_message_that_is_gone_says_so(web: Web, token: str) -> None:
    assert web.get(f"/u/{token_for(uuid4())}").status == 404


def test_the_page_shows_no_address_and_loads_nothing(web: Web, token: str) -> None:
    for path in (f"/u/{token}", f"/preferences/{token}"):
        answer = web.get(path)
        html = answer.data.decode()
        assert "m***@mingus.example" in html
        assert "maya@mingus.example" not in html
        assert "5125550101" not in html
        assert "http" not in html.replace("http-equiv", "")
        assert "<script" not in html
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


def test_who_never_said_yes_can_still_say_no(web: Web, token: str) -> None:
    """A monthly report stands on the contract: the explicit no is recorded all the same."""
    with transaction() as connection:
        record(
            connection,
            [
                ConsentEntry(
                    user_id="user_noah",
                    channel=Channel.EMAIL,
                    purpose=Purpose.ACCOUNT,
                    granted=False,
                    method="test",
                )
            ],
        )
    link = link_of("user_noah", "monthly_report")
    assert "You are unsubscribed" in web.get(f"/u/{link}").data.decode()
