"""Our suppression list and Resend's, against the sandbox's list."""

from typing import Any

import pytest
import resend

from core.database import transaction
from core.errors import NotAccepted
from core.statements import rows
from core.vocabulary import Channel
from delivery import suppressions
from delivery.providers import provider as provider_named
from delivery.suppression_sync import Synced, lift_everywhere, sync
from delivery.suppressions import SuppressionRequest
from tests.delivery.stage import person

pytestmark = pytest.mark.usefixtures("redis")


def index(address: str) -> bytes:
    return suppressions.address_index(Channel.EMAIL, address)


def suppress(address: str, reason: str) -> None:
    with transaction() as connection:
        suppressions.suppress(
            connection,
            [
                SuppressionRequest(
                    channel=Channel.EMAIL, address_index=index(address), reason=reason, source="test"
                )
            ],
        )


def ours() -> list[tuple[Any, ...]]:
    with transaction() as connection:
        return rows(connection, "SELECT reason, source FROM suppressions ORDER BY 1, 2")


@pytest.fixture
def theirs(people, provider):
    """Resend's list, through its own SDK; emptied before the test."""
    people(person("Maya", 101), person("Noah", 102))
    provider_named("resend")

    def listed() -> set[str]:
        return {row["email"] for row in resend.Suppressions.list({"limit": 100})["data"]}

    for address in listed():
        resend.Suppressions.Batch.remove({"emails": [address]})
    return listed


def test_what_either_knows_both_know_after(theirs):
    resend.Suppressions.add({"email": "stranger@elsewhere.example"})
    suppress("maya@mingus.example", "complaint")
    suppress("noah@mingus.example", "opted_out")
    suppress("nobody-we-know@mingus.example", "hard_bounce")

    assert sync() == Synced(pulled=1, pushed=1, lifted=0)

    assert theirs() == {"stranger@elsewhere.example", "maya@mingus.example"}
    assert ours() == [
        ("complaint", "test"),
        ("hard_bounce", "test"),
        ("manual", "provider_list"),
        ("opted_out", "test"),
    ]
    assert sync() == Synced(pulled=0, pushed=0, lifted=0)


def test_what_left_their_list_leaves_ours_if_it_came_from_there(theirs):
    resend.Suppressions.add({"email": "stranger@elsewhere.example"})
    suppress("maya@mingus.example", "complaint")
    sync()
    for address in theirs():
        resend.Suppressions.Batch.remove({"emails": [address]})

    assert sync() == Synced(pulled=0, pushed=1, lifted=1)
    assert ours() == [("complaint", "test")]


def lift(address: str) -> bool:
    return lift_everywhere(
        Channel.EMAIL, address, index("maya@mingus.example"), actor="omar", reason="mailbox was full"
    )


def test_what_is_lifted_by_hand_does_not_come_back(theirs):
    suppress("maya@mingus.example", "hard_bounce")
    sync()

    assert lift("Maya@mingus.example")

    assert sync() == Synced(pulled=0, pushed=0, lifted=0)
    assert (ours(), theirs()) == ([], set())


def test_a_provider_that_does_not_answer_changes_nothing(theirs, configure):
    suppress("maya@mingus.example", "hard_bounce")
    configure(MINGUS_RESEND_BASE_URL="http://127.0.0.1:9")

    with pytest.raises(NotAccepted):
        sync()
    with pytest.raises(NotAccepted):
        lift("maya@mingus.example")
    assert len(ours()) == 1
