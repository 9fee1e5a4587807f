"""What providers report: who is not written to any more, whose consent ends, and what waits without harm to others."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from core.database import transaction
from core.statements import execute, rows
from core.vocabulary import Channel, ErrorClass, EventKind
from delivery import Request, accept, callbacks, deliver, suppressions
from delivery.catalog import catalog
from delivery.messages import DeliveryEvent
from delivery.receipts import apply_waiting, receive
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("redis")
NOW = datetime.now(UTC)


@pytest.fixture
def sent(people, provider) -> list[str]:
    """The provider's references of a mail and a text that Maya got."""
    people(person("Maya", 101))
    for name in ("monthly_report", "critical_financial"):
        accepted = accept(
            Request(user_id="user_maya", message_type=name, payload=dict(catalog()[name].example))
        )
        deliver([accepted.notification_id])
    with transaction() as connection:
        return [row[0] for row in rows(connection, "SELECT reference FROM attempts ORDER BY channel")]


def event(kind: EventKind, reference: str = "", *, provider: str = "resend", **given: Any) -> DeliveryEvent:
    return DeliveryEvent(
        provider,
        kind,
        event_key=given.pop("event_key", uuid4().hex),
        at=given.pop("at", NOW),
        reference=reference,
        **given,
    )


def apply(*events: DeliveryEvent, now: datetime = NOW) -> None:
    receive(events)
    apply_waiting(now=now)


def suppressed() -> list[tuple[Any, ...]]:
    with transaction() as connection:
        return rows(
            connection,
            "SELECT channel, reason, round(score::numeric, 2)::float, until IS NOT NULL FROM suppressions",
        )


def withdrawn() -> list[tuple[Any, ...]]:
    with transaction() as connection:
        return rows(
            connection,
            "SELECT channel, source, count(*) FROM consents WHERE action = 'withdraw' GROUP BY 1, 2 ORDER BY 1",
        )


@pytest.mark.parametrize(
    ("kind", "reason"), [(EventKind.BOUNCED_HARD, "hard_bounce"), (EventKind.SUPPRESSED, "hard_bounce")]
)
def test_a_hard_bounce_suppresses_the_address_and_leaves_the_consent(sent, kind, reason):
    apply(event(kind, sent[0], suppress_address=True))

    assert suppressed() == [("email", reason, 1.0, False)]
    assert withdrawn() == []


def test_a_complaint_suppresses_and_ends_every_mail(sent):
    apply(event(EventKind.COMPLAINED, sent[0], suppress_address=True, revoke_consent=True))

    assert suppressed() == [("email", "complaint", 1.0, False)]
    assert withdrawn() == [("email", "complained", 4)]


def test_an_opt_out_at_the_carrier_ends_every_text(sent):
    apply(event(EventKind.FAILED, sent[1], provider="twilio", code="21610", revoke_consent=True))

    assert withdrawn() == [("sms", "failed", 4)]


def test_three_soft_bounces_suppress_for_a_month_and_a_delivery_begins_anew(sent):
    soft = {"error_class": ErrorClass.TRANSIENT_NETWORK}
    apply(event(EventKind.BOUNCED_SOFT, sent[0], **soft), event(EventKind.BOUNCED_SOFT, sent[0], **soft))
    assert suppressed() == [("email", "soft_bounce", 0.68, False)]

    apply(event(EventKind.DELIVERED, sent[0]))
    assert suppressed() == []

    for _ in range(3):
        apply(event(EventKind.BOUNCED_SOFT, sent[0], **soft))
    assert suppressed() == [("email", "soft_bounce", 1.02, True)]


def test_soft_bounces_far_apart_do_not_add_up(sent):
    for month in range(12):
        apply(event(EventKind.BOUNCED_SOFT, sent[0]), now=NOW + timedelta(days=30 * month))

    assert suppressed() == [("email", "soft_bounce", 0.68, False)]


def test_a_full_queue_of_the_carrier_says_nothing_about_the_number(sent):
    apply(
        event(
            EventKind.BOUNCED_SOFT, sent[1], provider="twilio", code="30022", error_class=ErrorClass.CAPACITY
        )
    )

    assert suppressed() == []


def test_an_unknown_handset_is_suppressed_by_its_second_strike(sent):
    strike = {"provider": "twilio", "code": "30005", "error_class": ErrorClass.PERMANENT_ADDRESS}
    apply(event(EventKind.BOUNCED_HARD, sent[1], **strike))
    assert suppressed() == [("sms", "soft_bounce", 0.5, False)]

    apply(event(EventKind.BOUNCED_HARD, sent[1], **strike))
    assert suppressed() == [("sms", "soft_bounce", 1.0, True)]


def test_a_score_makes_way_for_a_reason_and_a_reason_for_nothing(connection):
    index = suppressions.address_index(Channel.EMAIL, "maya@mingus.example")
    request = suppressions.SuppressionRequest(
        channel=Channel.EMAIL, address_index=index, reason="complaint", source="test"
    )
    suppressions.add_score(connection, Channel.EMAIL, index, 0.34, provider="resend", now=NOW)
    suppressions.suppress(connection, [request])
    suppressions.add_score(connection, Channel.EMAIL, index, 0.34, provider="resend", now=NOW)
    suppressions.forget_score(connection, [(Channel.EMAIL, index)])

    assert rows(connection, "SELECT reason, score FROM suppressions") == [("complaint", 1.0)]


def test_a_suppressed_score_is_tried_again_after_its_month_with_what_is_left_of_it(connection):
    index = suppressions.address_index(Channel.EMAIL, "maya@mingus.example")
    for _ in range(3):
        suppressions.add_score(connection, Channel.EMAIL, index, 0.34, provider="resend", now=NOW)
    later = NOW + timedelta(days=31)
    suppressions.add_score(connection, Channel.EMAIL, index, 0.34, provider="resend", now=later)

    ((score, until),) = rows(connection, "SELECT score, until FROM suppressions")
    assert 0.83 < score < 0.85
    assert until is None


def test_an_address_that_resend_put_on_its_own_list_comes_on_ours(people, provider):
    people(person("Maya", 101))
    apply(event(EventKind.SUPPRESSED, address="Maya@Mingus.example", suppress_address=True))

    with transaction() as connection:
        ((index,),) = rows(connection, "SELECT address_index FROM suppressions")
    assert bytes(index) == suppressions.address_index(Channel.EMAIL, "maya@mingus.example")


def test_a_callback_that_outruns_the_commit_is_matched_later(people, provider):
    people(person("Maya", 101))
    accepted = accept(
        Request(
            user_id="user_maya",
            message_type="monthly_report",
            payload=dict(catalog()["monthly_report"].example),
        )
    )
    attempt_id = uuid4()
    apply(event(EventKind.DELIVERED, attempt_id=attempt_id))
    assert waiting() == 1

    deliver([accepted.notification_id])
    with transaction() as connection:
        execute(connection, "UPDATE attempts SET id = %s", (attempt_id,))
        execute(connection, "UPDATE callbacks SET due_at = now()")
    apply_waiting()

    assert waiting() == 0
    with transaction() as connection:
        assert rows(connection, "SELECT state FROM notifications") == [("delivered",)]


def test_callbacks_that_match_nothing_do_not_hold_up_the_others(sent):
    receive([event(EventKind.DELIVERED, f"unknown-{n}") for n in range(30)])
    apply_waiting(limit=20)
    receive([event(EventKind.DELIVERED, sent[0])])

    apply_waiting(limit=20)
    apply_waiting(limit=20)

    with transaction() as connection:
        assert ("delivered",) in rows(connection, "SELECT state FROM notifications")
    assert waiting() == 30


def test_what_matches_nothing_for_a_day_is_done(provider, database):
    receive([event(EventKind.DELIVERED, "unknown")])
    with transaction() as connection:
        execute(connection, "UPDATE callbacks SET received_at = now() - interval '25 hours'")
    apply_waiting()

    with transaction() as connection:
        assert rows(connection, "SELECT result, processed_at IS NOT NULL FROM callbacks") == [
            ("unmatched", True)
        ]


def test_a_row_that_can_not_be_opened_is_marked_and_the_others_are_applied(sent):
    receive(
        [
            event(EventKind.DELIVERED, sent[0], event_key="good"),
            event(EventKind.DELIVERED, sent[1], event_key="bad"),
        ]
    )
    with transaction() as connection:
        execute(connection, "UPDATE callbacks SET event_sealed = 'moved'::bytea WHERE event_key = 'bad'")
    apply_waiting()

    with transaction() as connection:
        found = rows(connection, "SELECT event_key, result FROM callbacks ORDER BY 1")
    assert found == [("bad", "unreadable"), ("good", "applied")]


def test_a_nul_in_a_signed_callback_stops_nothing(sent):
    apply(event(EventKind.DELIVERED, sent[0] + "\x00", event_key="a\x00b", code="\x00", raw={"Body": "\x00"}))

    with transaction() as connection:
        assert rows(connection, "SELECT event_key, result FROM callbacks") == [("ab", "applied")]


def test_the_same_event_is_stored_once_whoever_stores_it(database):
    same = event(EventKind.DELIVERED, "x", event_key="k")
    assert callbacks.receive([same, same]) == 1
    assert callbacks.receive([same]) == 0


def waiting() -> int:
    with transaction() as connection:
        return int(rows(connection, "SELECT count(*) FROM callbacks WHERE processed_at IS NULL")[0][0])


def test_a_complaint_about_a_message_that_is_no_longer_kept_still_suppresses(provider, database):
    receive([event(EventKind.COMPLAINED, "long gone", address="maya@mingus.example")])
    apply_waiting()
    assert suppressed() == []

    with transaction() as connection:
        execute(connection, "UPDATE callbacks SET due_at = now()")
    apply_waiting(now=NOW + timedelta(hours=25))

    assert suppressed() == [("email", "complaint", 1.0, False)]
    assert waiting() == 0
