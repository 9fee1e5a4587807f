"""The preference page: all is saved or nothing, and the field that is wrong is named."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from html import unescape

import pytest

from core.database import transaction
from core.statements import execute, rows
from core.vocabulary import Category, Channel
from delivery import opt_out, preferences
from delivery.preferences import switches
from tests.delivery.stage import person
from tests.web.conftest import Web
from tests.web.test_unsubscribe import ALL, granted, link_of

TODAY = datetime.now(UTC).date()
EVERYTHING_ON = {
    f"{category}.{channel}": "on" for category, channels in switches().items() for channel in channels
}


@pytest.fixture
def token(people, web: Web) -> str:
    people(person("Maya", 101))
    return link_of("user_maya", "weekly_checkin")


def wishes() -> preferences.Wishes:
    with transaction() as connection:
        return preferences.read(connection, "user_maya")


def test_maya_saves_what_she_wishes_and_finds_it_again(web: Web, token: str) -> None:
    pause = TODAY + timedelta(days=10)
    form = EVERYTHING_ON | {
        "zone": "America/Denver", "locale": "es_US", "paused_until": str(pause), "quiet_from": "21:30", "quiet_until": "07:00",
        "payments.minimum": "$1,100.50", "payments.cap": "3", "wellness.digest": "on", "wellness.from": "09:00", "wellness.until": "12:00",
    }  # fmt: skip
    del form["career.email"]

    answer = web.post(f"/preferences/{token}", form)

    assert (answer.status, answer.headers["Location"]) == (303, f"/preferences/{token}?saved=wishes")
    now = wishes()
    assert (now.time_zone, now.locale, now.paused_until) == ("America/Denver", "es_US", pause)
    assert (now.quiet_from, now.quiet_until) == (time(21, 30), time(7))
    assert now.categories[Category.CAREER].enabled == {Channel.EMAIL: False}
    assert now.categories[Category.PAYMENTS].minimum_amount == Decimal("1100.50")
    assert now.categories[Category.PAYMENTS].weekly_cap == 3
    assert now.categories[Category.WELLNESS].digest
    html = unescape(web.get(f"/preferences/{token}?saved=wishes").data.decode())
    for value in ("America/Denver", "1100.50", str(pause), "21:30", "Saved."):
        assert value in html


def test_what_was_shown_can_be_saved_again_unchanged(web: Web, token: str) -> None:
    from web.preferences import _as_form

    before = wishes()
    shown = {name: value for name, value in _as_form(before).items() if value}

    assert web.post(f"/preferences/{token}", shown).status == 303
    assert wishes() == before


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("zone", {"zone": "America/Atlantis"}),
        ("zone", {"zone": "../../etc/passwd"}),
        ("zone", {"zone": "/usr/share/zoneinfo/UTC"}),
        ("zone", {"zone": "EST5EDT"}),
        ("locale", {"locale": "xx_YY"}),
        ("locale", {"locale": "{{ 7 * 7 }}"}),
        ("paused_until", {"paused_until": "tomorrow"}),
        ("paused_until", {"paused_until": "2020-01-01"}),
        ("paused_until", {"paused_until": "9999-12-31"}),
        ("quiet_until", {"quiet_from": "22:00"}),
        ("quiet_from", {"quiet_until": "07:00"}),
        ("quiet_until", {"quiet_from": "07:00", "quiet_until": "07:00"}),
        ("quiet_from", {"quiet_from": "25:00", "quiet_until": "07:00"}),
        ("wellness.from", {"quiet_from": "20:00", "quiet_until": "08:00", "wellness.from": "21:00", "wellness.until": "23:00"}),
        ("wellness.until", {"wellness.from": "21:00"}),
        ("payments.cap", {"payments.cap": "0"}),
        ("payments.cap", {"payments.cap": "-1"}),
        ("payments.cap", {"payments.cap": "1e9"}),
        ("payments.cap", {"payments.cap": "٣"}),
        ("payments.minimum", {"payments.minimum": "NaN"}),
        ("payments.minimum", {"payments.minimum": "-5"}),
        ("payments.minimum", {"payments.minimum": "1e30"}),
        ("payments.email", {"payments.email": "perhaps"}),
        ("reports.sms", {"reports.sms": "on"}),
        ("security.cap", {"security.cap": "3"}),  # wishes that would change nothing
        ("payments.digest", {"payments.digest": "on"}),
        ("payments.from", {"payments.from": "09:00"}),
        ("career.minimum", {"career.minimum": "100"}),
        ("is_admin", {"is_admin": "on"}),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_and_nothing_is_saved(
    web: Web, token: str, field: str, changes: dict[str, str]
) -> None:
    before = wishes()

    answer = web.post(
        f"/preferences/{token}",
        {"paused_until": str(TODAY + timedelta(days=9)), "zone": "America/Denver"} | changes,
    )

    html = answer.data.decode()
    assert answer.status == 422
    assert "Nothing was saved" in html
    assert f'href="#{field}"' in html
    assert wishes() == before


def test_preferred_hours_that_begin_before_the_quiet_ones_end_are_no_contradiction(
    web: Web, token: str
) -> None:
    form = {
        "quiet_from": "22:00",
        "quiet_until": "08:00",
        "wellness.from": "06:00",
        "wellness.until": "09:00",
    }

    assert web.post(f"/preferences/{token}", form).status == 303


def test_one_button_withdraws_everything_on_a_channel(web: Web, token: str) -> None:
    answer = web.post(f"/preferences/{token}/stop", {"channel": "sms"})

    assert answer.status == 303
    assert granted() == {each for each in ALL if each[0] == "email"}
    assert "You get nothing by text" in web.get(f"/preferences/{token}").data.decode()


def test_a_message_under_way_is_told_of(web: Web, token: str) -> None:
    with transaction() as connection:
        execute(connection, "LOCK TABLE notifications IN ROW EXCLUSIVE MODE")  # as an uncommitted claim does
        answer = web.post(f"/preferences/{token}/stop", {"channel": "sms"})

    html = web.get(answer.headers["Location"]).data.decode()
    assert "One message that was already on its way may still arrive." in html
    assert "You get nothing by text" in html
    assert opt_out.complete(patience=5) == 0
    assert "may still arrive" not in web.get(f"/preferences/{token}?saved=sms").data.decode()


def test_a_channel_that_does_not_exist_is_refused(web: Web, token: str) -> None:
    assert web.post(f"/preferences/{token}/stop", {"channel": "fax"}).status == 400
    assert granted() == ALL


def test_a_huge_form_is_refused(web: Web, token: str) -> None:
    assert web.post(f"/preferences/{token}", {"zone": "x" * 100_000}).status == 400


def test_a_pause_ends_at_midnight_of_the_persons_own_clock(web: Web, token: str) -> None:
    day = TODAY + timedelta(days=20)
    web.post(f"/preferences/{token}", {"zone": "Pacific/Honolulu", "paused_until": str(day)})

    from core.statements import rows

    with transaction() as connection:
        ((until,),) = rows(connection, "SELECT paused_until FROM users WHERE id = 'user_maya'")
    assert until == datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    assert isinstance(wishes().paused_until, date)


def test_a_category_offers_only_wishes_that_change_something_for_it(web: Web, token: str) -> None:
    html = web.get(f"/preferences/{token}").data.decode()

    shown = {name for name in WISHES if f'name="{name}"' in html}

    assert shown == {
        "security.minimum", "payments.cap", "payments.minimum", "wellness.cap", "wellness.from", "wellness.until",
        "wellness.digest", "reports.cap", "reports.from", "reports.until", "career.cap", "career.from", "career.until",
        "career.digest", "education.cap", "education.from", "education.until", "education.digest", "onboarding.cap",
        "onboarding.from", "onboarding.until", "onboarding.digest",
    }  # fmt: skip


WISHES = [
    f"{category}.{wish}" for category in Category for wish in ("cap", "minimum", "from", "until", "digest")
]


def test_saving_leaves_the_pause_of_a_category_as_it_was(web: Web, token: str) -> None:
    """The page knows one pause for everything; one of a category is set by code and must not get lost."""
    with transaction() as connection:
        execute(
            connection,
            "INSERT INTO preferences (user_id, category, channel, paused_until)"
            " VALUES ('user_maya', 'career', 'email', '2030-01-01')",
        )

    assert web.post(f"/preferences/{token}", EVERYTHING_ON).status == 303

    with transaction() as connection:
        found = rows(
            connection, "SELECT extract(year FROM paused_until) FROM preferences WHERE category = 'career'"
        )
    assert found == [(2030,)]
