"""Limits as the pipeline keeps them: what is over waits at an instant of its own, and Redis away stops no alert."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from core.clock import utc_now
from core.database import transaction
from core.statements import rows
from delivery import Request, accept_many, deliver
from delivery.catalog import catalog
from tests.delivery.stage import person

NAMES = ("Ana", "Ben", "Cleo", "Dina", "Emil")


@pytest.fixture
def five(people, provider, redis) -> None:
    """Five people with mail only, so that no law's hours matter."""
    people(*(person(name, 101 + number, phone="") for number, name in enumerate(NAMES)))


def delivered(name: str) -> list[dict[str, Any]]:
    """Accept one message of a type for each and deliver all; state, reason, due time, tries and evidence of each."""
    payload = dict(catalog()[name].example)
    accepted = accept_many(
        [Request(user_id=f"user_{each.lower()}", message_type=name, payload=payload) for each in NAMES]
    )
    deliver([each.notification_id for each in accepted])
    columns = ("state", "reason", "deliver_after", "tries", "evidence")
    with transaction() as connection:
        found = rows(
            connection,
            f"SELECT {', '.join(columns)} FROM notifications WHERE message_type = %s ORDER BY deliver_after",
            (name,),
        )
    return [dict(zip(columns, row, strict=True)) for row in found]


def test_what_is_over_the_limit_waits_at_an_instant_of_its_own_and_costs_no_retry(five, configure, provider):
    configure(MINGUS_LIMIT_EDUCATIONAL_CONTENT_EMAIL="2")
    found = delivered("educational_content")
    assert [each["state"] for each in found] == ["sent", "sent", "accepted", "accepted", "accepted"]
    waiting = found[2:]
    assert {each["reason"] for each in waiting} == {"rate_limited"}
    assert {each["tries"] for each in waiting} == {0}
    instants: list[datetime] = [each["deliver_after"] for each in waiting]
    assert len(set(instants)) == 3
    assert instants[0] > utc_now() + timedelta(seconds=20)
    assert instants[2] < utc_now() + timedelta(seconds=200)
    assert len(provider.messages()) == 2


def test_a_limit_of_zero_forbids_the_channel(five, configure, provider):
    configure(MINGUS_LIMIT_EDUCATIONAL_CONTENT_EMAIL="0")
    assert {(each["state"], each["reason"]) for each in delivered("educational_content")} == {
        ("skipped", "channel_forbidden")
    }
    assert provider.messages() == []


def test_a_channel_that_is_forbidden_lets_the_next_one_be_tried(people, configure, provider, redis):
    people(*(person(name, 101 + number) for number, name in enumerate(NAMES)))
    configure(MINGUS_LIMIT_CRITICAL_FINANCIAL_SMS="0")
    found = delivered("critical_financial")
    assert {each["state"] for each in found} == {"sent"}
    assert found[0]["evidence"]["passed_over"] == {"sms": "channel_forbidden"}
    assert {message["provider"] for message in provider.messages()} == {"resend"}


def test_while_redis_is_away_alerts_go_out_and_the_rest_waits(five, configure, provider):
    configure(REDIS_URL="redis://127.0.0.1:9/0")
    alerts, lessons = delivered("critical_financial"), delivered("educational_content")
    assert {each["state"] for each in alerts} == {"sent"}
    assert {each["evidence"]["limiter"] for each in alerts} == {"away"}
    assert {(each["state"], each["reason"]) for each in lessons} == {("accepted", "limiter_away")}
    assert all(each["deliver_after"] > utc_now() for each in lessons)
    assert len(provider.messages()) == 5
