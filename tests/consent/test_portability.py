"""GDPR 15 and 20: a person may have all that is known of them, readable for people and machines."""

from decimal import Decimal

import orjson
import pytest

from core.database import transaction
from core.errors import UnknownUser
from core.ids import new_id
from core.statements import execute
from delivery import archive, deliver, erasure, inbound
from delivery.portability import TABLES, about
from tests.consent.test_commands import mingus
from tests.consent.test_erasure import ask, said, written_from
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("redis", "empty_archive")


@pytest.fixture
def maya(people, provider) -> str:
    people(person("Maya", 101), person("Noor", 102))
    return "user_maya"


def test_maya_gets_her_profile_addresses_messages_consents_and_finances_and_nothing_of_noors(maya):
    deliver([said("critical_financial"), said("critical_financial", "user_noor")])
    with transaction() as connection:
        execute(
            connection,
            "INSERT INTO transactions (id, user_id, booked_on, amount, category, merchant)"
            " VALUES (%s, %s, '2025-07-01', %s, 'income', 'Payroll')",
            (new_id(), maya, Decimal("3000.00")),
        )
    archive.write({archive.report_key(maya, "2025-07"): "<p>Maya</p>"})
    found = about(maya, actor="ines")
    assert found["users"][0]["name"] == "Maya"
    assert {each["address"] for each in found["contact_points"]} == {"+15125550101", "maya@mingus.example"}
    (message,) = found["notifications"]
    assert message["payload"]["message"].startswith("Overdraft")
    assert message["state"] == "sent"
    assert {each["channel"] for each in found["consents"]} == {"sms", "email"}
    assert found["transactions"][0]["merchant"] == "Payroll"
    assert len(found["delivery_events"]) == 1
    ((link,),) = (each.values() for each in found["reports"])
    assert archive.key_of(*link.partition("/reports/")[2].join(("reports/", "")).rsplit("/", 1))
    assert "noor" not in orjson.dumps(found).decode().lower()
    assert ask("SELECT actor, action, subject FROM audit_entries") == [("ines", "export", "user:user_maya")]


def test_what_she_wrote_is_hers_unless_it_came_from_a_phone_that_others_have_too(maya, people):
    people(person("Amir", 103, phone="+15125550102"))
    for phone in ("+15125550101", "+15125550102"):
        inbound.handle(written_from(phone))
    written = {
        user: about(user, actor="ines")["inbound_messages"] for user in (maya, "user_noor", "user_amir")
    }
    assert [(each["address"], each["text"]) for each in written[maya]] == [("+15125550101", "who is this?")]
    assert written["user_noor"] == written["user_amir"] == []


def test_nothing_in_it_is_sealed_or_only_for_us(maya):
    deliver([said("critical_financial")])
    told = orjson.dumps(about(maya, actor="ines")).decode()
    assert "_sealed" not in told
    assert "_index" not in told
    assert "\\\\x" not in told


def test_after_an_erasure_only_the_proof_is_left_to_be_told(maya):
    deliver([said("critical_financial")])
    erasure.erase(maya, actor="ines")
    found = about(maya, actor="ines")
    assert {table for table in TABLES if found[table]} == {"consents", "notifications", "delivery_events"}
    assert found["notifications"][0]["payload"] == {}
    assert "Maya" not in orjson.dumps(found).decode()


def test_the_command_prints_it_as_json_and_knows_nobody_who_is_not_there(maya):
    assert orjson.loads(mingus("export", maya))["users"][0]["name"] == "Maya"
    assert "no user" in mingus("export", "user_nobody", code=1)
    with pytest.raises(UnknownUser):
        about("user_nobody", actor="ines")
