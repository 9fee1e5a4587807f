"""The links that every message may carry are made by us, from an address that the settings give."""

from html import escape

import pytest

from core.ids import new_id
from core.settings import settings
from core.vocabulary import Channel
from delivery import signed_links
from delivery.content import render
from delivery.content.safe_links import web_link
from delivery.signed_links import OwnLink, links_for, notification_of
from tests.content.for_maya import mail, request_of


@pytest.fixture
def address(monkeypatch):
    """Lets a test say where our web app is reached."""

    def reached_at(url: str) -> None:
        monkeypatch.setattr(
            signed_links, "settings", lambda: settings().model_copy(update={"public_base_url": url})
        )

    return reached_at


def test_both_links_name_the_notification():
    row = new_id()
    links = links_for(row)
    assert set(links) == {"unsubscribe_url", "preferences_url"}
    assert len(links) == 2
    assert all(notification_of(url.rpartition("/")[2]) == row for url in links.values())
    assert links.get("gone", "nothing") == "nothing"


@pytest.mark.parametrize("url", ["https://mingus.example", "http://127.0.0.1:8000", "https://a.example/b~c"])
def test_a_link_on_a_plain_address_is_our_own(address, url):
    address(url)
    links = links_for(new_id())
    for link in links.values():
        assert type(link) is OwnLink
        assert web_link("link", str(link)) == escape(link) == link, "a stranger's would pass too"
    shown = mail("monthly_report", links=links)
    assert all(f'href="{link}"' in shown.html and link in shown.body for link in links.values())
    assert shown.headers["List-Unsubscribe"] == f"<{links['unsubscribe_url']}>"


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/?x=1&y=2",
        "https://a.example/'",
        "https://bücher.example",
        "ftp://x",
        "https://a..example",
        "https://:80",
        "https://a.example/" + "b" * 1000,
    ],
)
def test_a_link_on_any_other_address_is_looked_at_like_a_strangers(address, url):
    address(url)
    assert all(type(link) is str for link in links_for(new_id()).values())


def test_a_text_without_a_link_signs_none(monkeypatch):
    monkeypatch.setattr(signed_links, "token_for", pytest.fail)
    render(request_of("payment_reminder", Channel.SMS, links=links_for(new_id())))


def test_a_payloads_subject_may_hold_a_link():
    links = links_for(new_id())
    payload = request_of("monthly_report").payload | {"subject": "See {preferences_url}"}
    assert mail("monthly_report", payload=payload, links=links).subject == f"See {links['preferences_url']}"
