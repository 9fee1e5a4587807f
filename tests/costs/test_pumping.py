"""SMS pumping: countries that get no texts, and blocks of numbers that may not grow or be texted too fast."""

import pytest

from core.database import transaction
from core.errors import InvalidAddress
from core.statements import rows
from delivery import Request, accept_many, deliver
from delivery.catalog import catalog
from delivery.people import add_people
from delivery.policies import judge
from delivery.policies.base import VerdictKind
from delivery.policies.reasons import Reason
from delivery.throttle import spend
from tests.delivery.conftest import person
from tests.policies.people import EMAIL, NOON, SMS, facts, message, tokens_for_all
from tests.policies.people import person as known

BRITISH = "+44740012{:04d}"


def british(number):
    return person(
        f"Person{number}",
        number,
        phone=BRITISH.format(number),
        country="GB",
        state="",
        time_zone="Europe/London",
    )


@pytest.mark.parametrize(
    ("served", "channel", "country", "kind"),
    [
        ("US,CA", SMS, "US", VerdictKind.ALLOW),
        ("US,CA", SMS, "GB", VerdictKind.SKIP),
        ("US,CA", SMS, "", VerdictKind.SKIP),
        ("US,CA", EMAIL, "", VerdictKind.ALLOW),
        ("", SMS, "GB", VerdictKind.ALLOW),
    ],
)
def test_texts_go_only_to_the_countries_that_are_served(configure, served, channel, country, kind):
    configure(MINGUS_SMS_COUNTRIES=served)
    (verdict,) = judge([message("maya", channel=channel, country=country)], facts(), NOON, tokens_for_all)
    assert verdict.kind is kind
    assert verdict.reason == (Reason.COUNTRY_NOT_SERVED if kind is VerdictKind.SKIP else "")


def test_critical_texts_are_no_exception_and_go_by_mail(people, provider, configure):
    people(british(1))
    configure(MINGUS_SMS_COUNTRIES="US")
    (accepted,) = accept_many(
        [Request(user_id="user_person1", message_type="critical_financial",
                 payload=dict(catalog()["critical_financial"].example))]
    )  # fmt: skip
    deliver([accepted.notification_id])
    assert [each["provider"] for each in provider.messages()] == ["resend"]


def test_a_number_of_a_country_that_is_not_served_is_refused_when_it_is_written_down(people, configure):
    configure(MINGUS_SMS_COUNTRIES="US")
    with pytest.raises(InvalidAddress, match="phone: is a number of GB"):
        people(british(1))
    with transaction() as connection:
        assert rows(connection, "SELECT count(*) FROM contact_points")[0][0] == 0


def test_a_block_abroad_grows_only_so_fast_while_blocks_at_home_and_imports_are_free(
    people, redis, configure, database
):
    configure(MINGUS_SMS_BLOCK_HOURLY="3")
    people(british(1), british(2))
    people(british(2), british(1))  # known already: no new numbers
    people(british(3))
    with pytest.raises(InvalidAddress, match="too many new numbers"):
        people(british(4))
    people(*(person(f"Texan{n}", n) for n in range(100, 110)))
    with transaction() as connection:
        add_people(connection, [british(n) for n in range(10, 20)], known=True)


def test_texts_to_one_block_abroad_keep_its_pace_over_all_types(redis, configure):
    configure(MINGUS_SMS_BLOCK_HOURLY="4")
    people = [f"person {n}" for n in range(6)]
    batch = [
        message(each, name, country="GB", block="+44740012")
        for each, name in zip(people, ["critical_financial", "payment_reminder"] * 3, strict=True)
    ]
    known_ones = facts(*(known(each, country="GB") for each in people))
    found = judge(batch, known_ones, NOON, spend)
    assert [each.kind for each in found] == [VerdictKind.ALLOW] * 4 + [VerdictKind.SKIP] * 2
    assert {each.reason for each in found[4:]} == {Reason.NUMBER_BLOCK_PACED}
    assert found[5].evidence["policy"] == "number_block"


def test_a_pumped_block_makes_nobody_else_wait(redis, configure):
    configure(MINGUS_SMS_BLOCK_HOURLY="1")
    people = [f"person {n}" for n in range(9)]
    batch = [message(each, "critical_financial", country="GB", block="+44740012") for each in people[:8]]
    known_ones = facts(*(known(each, country="GB") for each in people))
    judge(batch, known_ones, NOON, spend)
    (elsewhere,) = judge(
        [message("person 8", "critical_financial", country="GB", block="+44740099")], known_ones, NOON, spend
    )
    assert elsewhere.kind is VerdictKind.ALLOW


def test_without_redis_the_rate_limit_decides_and_nothing_is_skipped_for_its_block(configure):
    from core.redis import disconnect

    configure(REDIS_URL="redis://127.0.0.1:9/0")
    found = judge(
        [
            message("maya", name, country="GB", block="+44740012")
            for name in ("critical_financial", "payment_reminder")
        ],
        facts(),
        NOON,
        spend,
    )
    disconnect()
    assert [each.reason for each in found] == ["", Reason.LIMITER_AWAY]


def test_without_redis_new_numbers_are_let_in(people, configure, database):
    from core.redis import disconnect

    configure(REDIS_URL="redis://127.0.0.1:9/0", MINGUS_SMS_BLOCK_HOURLY="1")
    people(british(1), british(2))
    disconnect()


def test_a_block_in_redis_does_not_tell_whose_number_it_is(people, redis, configure):
    people(british(1))
    assert [key for key in redis.keys("*") if b"+447400120001" in key] == []
    assert [key for key in redis.keys("*") if b"+44740012" in key] != []
