"""GDPR 17: what names a person or was said to them goes, what proves lawful acting stays, and nobody writes to them again."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import Table, insert

from core.clock import utc_now
from core.database import session, transaction
from core.errors import UnknownUser
from core.ids import new_id
from core.models import Base, Sealed
from core.sealing import unseal
from core.statements import rows
from core.vocabulary import Channel, EventKind
from delivery import Request, accept, accept_many, archive, audit, deliver, erasure, inbound
from delivery.archive_stores import ArchiveAway
from delivery.catalog import catalog
from delivery.intake import PAYLOAD_PLACE
from delivery.messages import DeliveryEvent
from delivery.receipts import receive
from delivery.story import story_of
from delivery.suppressions import address_index
from tests.consent.test_commands import mingus
from tests.consent.test_receipts import NOW
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("redis", "empty_archive")

HANDLED_SEALED = {
    ("users", "name_sealed"),
    ("contact_points", "address_sealed"),
    ("notifications", "payload_sealed"),
    ("attempts", "rendered_sealed"),
    ("inbound_messages", "address_sealed"),
    ("inbound_messages", "text_sealed"),
}
KEPT_SEALED = {
    ("consents", "ip_sealed"),  # proof of the act
    ("consents", "agent_sealed"),
    ("pending_withdrawals", "ip_sealed"),
    ("pending_withdrawals", "agent_sealed"),
    ("callbacks", "event_sealed"),  # forgotten after 90 days, whoever it is about
}


SAMPLES: dict[type, Callable[[], Any]] = {
    str: lambda: "x",
    int: lambda: 1,
    float: lambda: 0.5,
    bool: lambda: True,
    Decimal: lambda: Decimal(1),
    UUID: new_id,
    date: lambda: utc_now().date(),
    datetime: utc_now,
    list: lambda: [1],
    dict: dict,
}


def ask(sql: str, *parameters: Any) -> list[Any]:
    with transaction() as connection:
        return rows(connection, sql, parameters)


def said(name: str, user: str = "user_maya", **given: Any) -> Any:
    return accept(
        Request(user_id=user, message_type=name, payload=dict(catalog()[name].example), **given)
    ).notification_id


def written_from(phone: str) -> DeliveryEvent:
    """A text from `phone`, received."""
    form = {"From": phone, "Body": "who is this?"}
    event = DeliveryEvent(
        "twilio", EventKind.RECEIVED, f"SM{phone}", NOW, reference=f"SM{phone}", address=phone, text=form["Body"],
        raw=form,
    )  # fmt: skip
    receive([event])
    return event


def payload_of(notification_id: Any) -> Any:
    ((sealed,),) = ask("SELECT payload_sealed FROM notifications WHERE id = %s", notification_id)
    return orjson.loads(unseal(sealed, place=PAYLOAD_PLACE, row=notification_id))


@pytest.fixture
def maya(people, provider) -> str:
    people(person("Maya", 101), person("Noor", 102))
    return "user_maya"


def test_every_table_about_a_person_and_every_sealed_column_has_its_rule():
    about_people = {table.name for table in Base.metadata.tables.values() if "user_id" in table.columns}
    assert set(erasure.GONE).isdisjoint(erasure.KEPT)
    assert about_people == set(erasure.GONE) | set(erasure.KEPT)
    sealed = {
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Sealed)
    }
    assert sealed == HANDLED_SEALED | KEPT_SEALED


def a_row(table: Table, user_id: str) -> dict[str, Any]:
    """The least that a row of the table needs."""
    needed = [c for c in table.columns if not c.nullable and c.server_default is None]
    return {c.name: user_id if c.name == "user_id" else SAMPLES[c.type.python_type]() for c in needed}


def test_every_table_that_loses_her_rows_loses_them_all_and_nobody_elses(maya):
    tables = [Base.metadata.tables[name] for name in erasure.GONE if name != "contact_points"]
    with session() as orm:
        for table in tables:
            for user in (maya, "user_noor"):
                orm.execute(insert(table).values(a_row(table, user)))
    assert erasure.erase(maya, actor="ines").rows == len(tables) + 2
    for name in erasure.GONE:
        assert ask(f"SELECT user_id FROM {name} WHERE user_id = %s", maya) == []
        assert ask(f"SELECT DISTINCT user_id FROM {name}") == [("user_noor",)]


def test_what_she_wrote_to_us_is_gone_and_what_came_from_a_shared_phone_stays(people, provider):
    people(person("Maya", 101), person("Noor", 102), person("Amir", 102))
    for number in ("+15125550101", "+15125550102"):
        inbound.handle(written_from(number))
    erasure.erase("user_maya", actor="ines")
    erasure.erase("user_amir", actor="ines")
    left = ask("SELECT address_index FROM inbound_messages")
    assert [bytes(index) for (index,) in left] == [address_index(Channel.SMS, "+15125550102")]


def test_what_was_known_of_maya_is_gone_and_what_was_done_can_still_be_proven(maya):
    sent = said("critical_financial")
    deliver([sent])
    waiting = said("critical_financial", deliver_after=utc_now() + timedelta(hours=1))
    consents = ask("SELECT id FROM consents WHERE user_id = %s ORDER BY id", maya)
    done = erasure.erase(maya, actor="ines")
    assert (done.withdrawn, done.payloads, done.calls, done.marks, done.pages) == (1, 2, 1, 2, 0)
    assert ask("SELECT name_sealed, time_zone, state, birthday FROM users WHERE id = %s", maya) == [
        (None, None, "", None)
    ]
    assert (payload_of(sent), payload_of(waiting)) == ({}, {})
    assert ask("SELECT count(*) FROM attempts WHERE rendered_sealed IS NOT NULL") == [(0,)]
    assert ask("SELECT id FROM consents WHERE user_id = %s ORDER BY id", maya) == consents
    story = story_of(str(sent))
    assert story.state == "sent"
    assert story.consent is not None
    assert any("an address that was erased" in each.details for each in story.happenings)
    assert story_of(str(waiting)).reason == "user_erased"
    assert ask("SELECT actor, action, subject FROM audit_entries") == [("ines", "erase", "user:user_maya")]
    with transaction() as connection:
        assert audit.verify(connection).broken_at is None


def test_nothing_is_sent_to_somebody_erased_whatever_is_asked_for(maya, provider, people):
    under_way = said("critical_financial")
    erasure.erase(maya, actor="ines")
    deliver([under_way])
    with pytest.raises(UnknownUser):
        said("critical_financial")
    people(person("Maya", 101, id="user_maya_again"))  # another account, the same addresses
    again = said("critical_financial", "user_maya_again")
    deliver([again])
    assert provider.messages() == []
    story = story_of(str(again))
    assert (story.state, story.reason) == ("skipped", "suppressed")
    assert "erased" in str(story.evidence)


def test_a_phone_that_somebody_else_has_too_stays_theirs(people, provider):
    people(person("Maya", 101), person("Noor", 102, phone="+15125550101"))
    done = erasure.erase("user_maya", actor="ines")
    assert done.marks == 1
    marked = ask("SELECT channel, address_index, reason FROM suppressions")
    assert [(channel, bytes(index), reason) for channel, index, reason in marked] == [
        ("email", address_index(Channel.EMAIL, "maya@mingus.example"), "erased")
    ]
    deliver([said("critical_financial", "user_noor")])
    assert [each["to"] for each in provider.messages()] == ["+15125550101"]


def test_a_call_that_may_be_repeated_keeps_its_words_until_its_outcome_is_known(maya, configure, provider):
    configure(MINGUS_LIMIT_EDUCATIONAL_CONTENT_EMAIL="1000", MINGUS_RESEND_BASE_URL=provider.url)
    example = dict(catalog()["educational_content"].example)
    batch = accept_many(
        [Request(user_id=user, message_type="educational_content", payload=example) for user in (maya, "user_noor")]
    )  # fmt: skip
    deliver([each.notification_id for each in batch])
    with transaction() as connection:
        rows(connection, "UPDATE attempts SET closed_at = NULL, outcome = NULL WHERE position = 1")
    assert erasure.erase(maya, actor="ines").calls == 0
    erasure.sweep(utc_now())
    assert ask("SELECT count(*) FROM attempts WHERE rendered_sealed IS NOT NULL") == [(1,)]
    erasure.sweep(utc_now() + timedelta(hours=24))
    assert ask("SELECT count(*) FROM attempts WHERE rendered_sealed IS NOT NULL") == [(0,)]
    assert payload_of(batch[1].notification_id) == example


def test_an_erasure_amid_her_messages_harms_none_and_ends_them(maya, configure, provider):
    configure(
        MINGUS_LIMIT_CRITICAL_FINANCIAL_SMS="10000", MINGUS_USER_DAILY_LIMIT_CRITICAL_FINANCIAL="1000",
        MINGUS_TWILIO_BASE_URL=provider.url,
    )  # fmt: skip
    alerts = [said("critical_financial") for _ in range(120)]
    chunks = [alerts[start : start + 5] for start in range(0, len(alerts), 5)]
    with ThreadPoolExecutor(4) as workers:
        reports = [workers.submit(deliver, chunk) for chunk in chunks]
        while len(provider.messages()) < 10:
            time.sleep(0.01)
        erasure.erase(maya, actor="ines")
    for each in reports:
        each.result()
    erasure.sweep(utc_now() + timedelta(hours=24))
    became = dict(ask("SELECT state, count(*) FROM notifications GROUP BY state"))
    assert became.keys() == {"sent", "skipped"}
    assert became["sent"] == len(provider.messages())
    assert ask("SELECT count(*) FROM attempts WHERE closed_at IS NULL OR rendered_sealed IS NOT NULL") == [
        (0,)
    ]
    assert all(payload_of(each) == {} for each in alerts)


def test_what_was_accepted_in_the_very_moment_is_swept_and_old_erasures_rest(maya):
    late = said("critical_financial", deliver_after=utc_now() + timedelta(hours=1))
    with transaction() as connection:  # as if the acceptance had begun before the erasure's commit
        rows(connection, "UPDATE users SET erased_at = now() WHERE id = %s", (maya,))
    erasure.sweep(utc_now() + erasure.LOOK_BACK + timedelta(minutes=1))
    assert payload_of(late) != {}
    erasure.sweep(utc_now())
    assert payload_of(late) == {}
    assert story_of(str(late)).reason == "user_erased"


def test_doing_it_twice_is_doing_it_once_and_nobody_is_erased_by_a_wrong_name(maya):
    deliver([said("critical_financial")])
    erasure.erase(maya, actor="ines")
    ((first,),) = ask("SELECT erased_at FROM users WHERE id = %s", maya)
    again = erasure.erase(maya, actor="ines")
    assert (again.rows, again.withdrawn, again.payloads, again.calls, again.marks) == (0, 0, 0, 0, 0)
    assert ask("SELECT erased_at FROM users WHERE id = %s", maya) == [(first,)]
    with pytest.raises(UnknownUser, match="user_nobody"):
        erasure.erase("user_nobody", actor="ines")


def test_an_archive_that_is_away_hinders_no_erasure_and_the_next_sweep_takes_its_pages(maya, monkeypatch):
    archive.write({archive.report_key(maya, "2025-07"): "<p>Maya</p>"})

    def away(user_id: str) -> int:
        raise ArchiveAway(user_id)

    with monkeypatch.context() as patch:
        patch.setattr(archive, "erase", away)
        assert erasure.erase(maya, actor="ines").pages is None
    assert archive.read(archive.report_key(maya, "2025-07")) is not None
    assert erasure.sweep(utc_now()) == 1
    assert archive.read(archive.report_key(maya, "2025-07")) is None


def test_an_import_that_still_knows_her_brings_nothing_back(maya, people):
    erasure.erase(maya, actor="ines")
    before = ask("SELECT count(*) FROM consents")
    people(person("Maya", 101), person("Amir", 103))
    assert ask("SELECT name_sealed FROM users WHERE id = %s", maya) == [(None,)]
    assert ask("SELECT DISTINCT user_id FROM contact_points ORDER BY user_id") == [
        ("user_amir",),
        ("user_noor",),
    ]
    assert ask("SELECT count(*) FROM consents WHERE user_id <> 'user_amir'") == before


def test_the_command_asks_before_it_erases_and_says_what_is_gone(maya):
    mingus("erase", maya, code=1)  # nobody answered the question
    assert ask("SELECT erased_at FROM users WHERE id = %s", maya) == [(None,)]
    told = mingus("erase", maya, "--yes")
    assert "2 addresses marked" in told
    assert "no user" in mingus("erase", "user_nobody", "--yes", code=1)
