"""Digests end to end: parts end as skipped, one message goes out, and each tells where the other is."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.clock import utc_now
from core.database import transaction
from core.statements import execute, rows
from core.vocabulary import Category, Channel
from delivery import Request, accept, deliver
from delivery.story import story_of
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("redis")
CHICAGO = ZoneInfo("America/Chicago")


def lesson(topic: str, **given: Any) -> Any:
    payload = {"topic": topic, "summary": f"{topic} {{in}} short."}
    request = Request(user_id="user_maya", message_type="educational_content", payload=payload, **given)
    return accept(request).notification_id


def wishes_a_digest(hours_from_now: float) -> None:
    """Maya's hour of gathering, which is hers within half an hour, begins then."""
    begins = (utc_now().astimezone(CHICAGO) + timedelta(hours=hours_from_now)).time()
    with transaction() as connection:
        execute(
            connection,
            "INSERT INTO preferences (user_id, category, channel, digest, preferred_from, preferred_until)"
            " VALUES ('user_maya', %s, %s, true, %s, %s) ON CONFLICT (user_id, category, channel)"
            " DO UPDATE SET preferred_from = EXCLUDED.preferred_from",
            (Category.EDUCATION, Channel.EMAIL, begins, begins),
        )


def waiting() -> list[tuple[str, str]]:
    with transaction() as connection:
        return rows(connection, "SELECT state, reason FROM notifications ORDER BY created_at, id")


def all_due() -> list[Any]:
    with transaction() as connection:
        return [row[0] for row in rows(
            connection,
            "UPDATE notifications SET deliver_after = now() - interval '1 second' WHERE state = 'accepted' RETURNING id",
        )]  # fmt: skip


def test_lessons_wait_for_mayas_hour_and_then_come_as_one_mail(people, provider):
    people(person("Maya", 101))
    wishes_a_digest(hours_from_now=5)
    parts = [lesson("Compound interest"), lesson("Index funds")]
    deliver(parts)
    assert waiting() == [("accepted", "digest")] * 2
    assert provider.messages() == []

    wishes_a_digest(hours_from_now=-0.5)  # its hour has begun, and lasts
    deliver(all_due())

    assert provider.messages() == []
    assert waiting() == [("skipped", "in_digest")] * 2 + [("accepted", "")]
    deliver(all_due())

    (mail,) = provider.messages()
    assert mail["subject"] == "2 messages from MINGUS"
    for body in (mail["text"], mail["html"]):
        assert "Compound interest, explained - Compound interest {in} short." in body
        assert "Index funds, explained - Index funds {in} short." in body
    assert "List-Unsubscribe" in mail["headers"]
    story = story_of(str(parts[0]))
    assert "one message with others" in story.sentence
    assert story_of(story.evidence["digest"]).state in {"sent", "delivered"}


def test_one_lesson_alone_is_sent_as_it_is(people, provider):
    people(person("Maya", 101))
    wishes_a_digest(hours_from_now=-0.5)
    deliver([lesson("Compound interest")])
    (mail,) = provider.messages()
    assert mail["subject"] == "Compound interest, explained"


def test_who_leaves_before_the_hour_gets_no_digest(people, provider):
    from core.vocabulary import Purpose
    from delivery import opt_out
    from delivery.consents import ConsentEntry

    people(person("Maya", 101))
    wishes_a_digest(hours_from_now=-0.5)
    deliver([lesson("Compound interest"), lesson("Index funds")])
    opt_out.withdraw(
        [
            ConsentEntry(
                user_id="user_maya",
                channel=Channel.EMAIL,
                purpose=Purpose.MARKETING,
                granted=False,
                method="one_click",
            )
        ]
    )
    deliver(all_due())
    assert provider.messages() == []
    assert waiting()[-1] == ("skipped", "consent_withdrawn")
