"""Invariant I4 under load: nothing is sent to a person after their withdrawal stands in the ledger."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pytest

from core.database import transaction
from core.statements import rows
from core.vocabulary import Channel, Purpose
from delivery import Request, accept_many, deliver, opt_out
from delivery.catalog import catalog
from delivery.consents import ConsentEntry
from tests.delivery.stage import person


@dataclass(frozen=True)
class Crowd:
    """How many messages of which type lie in the queue, and what the leavers withdraw."""

    message_type: str
    channel: Channel
    purpose: Purpose
    people: int
    each: int
    address: str


MAILS = Crowd("educational_content", Channel.EMAIL, Purpose.MARKETING, 200, 50, "p{}@mingus.example")
TEXTS = Crowd("critical_financial", Channel.SMS, Purpose.ALERTS, 40, 25, "+1512555{:04}")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("crowd", [MAILS, TEXTS], ids=["10000 mails", "1000 texts"])
def test_nobody_gets_a_message_after_their_withdrawal_stands_in_the_ledger(
    people, provider, configure, redis, crowd
):
    configure(
        **{
            f"MINGUS_LIMIT_{crowd.message_type}_{crowd.channel}".upper(): "10000000",
            f"MINGUS_USER_DAILY_LIMIT_{crowd.message_type}".upper(): "1000",
        },
        MINGUS_TWILIO_BASE_URL=provider.url,
        MINGUS_RESEND_BASE_URL=provider.url,
        MINGUS_DATABASE_POOL_SIZE="12",
    )
    users = {f"user_p{n}": crowd.address.format(n) for n in range(crowd.people)}
    people(*(person(f"P{n}", n) for n in range(crowd.people)))
    payload = dict(catalog()[crowd.message_type].example)
    accepted = accept_many(
        [
            Request(user_id=user_id, message_type=crowd.message_type, payload=payload)
            for _ in range(crowd.each)
            for user_id in users
        ]
    )
    queue = [each.notification_id for each in accepted]
    leavers = list(users)[::2]
    acknowledged: dict[str, bool] = {}

    def work() -> None:
        while True:
            with LOCK:
                chunk, queue[:] = queue[:100], queue[100:]
            if not chunk:
                return
            deliver(chunk)

    def leave(mine: Sequence[str]) -> None:
        for user_id in mine:
            acknowledged[user_id] = opt_out.withdraw([withdrawal(user_id, crowd)], patience=60)
            time.sleep(0.02)

    threads = [threading.Thread(target=work) for _ in range(4)]
    threads += [threading.Thread(target=leave, args=(leavers[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert acknowledged == dict.fromkeys(leavers, True)
    sent = defaultdict(list)
    for message in provider.messages():
        to = message["to"]  # a mail's is a list
        sent[to if isinstance(to, str) else to[0]].append(datetime.fromisoformat(message["at"]))
    gone = {user_id: withdrawn_at(user_id, crowd) for user_id in leavers}
    late = [at for user_id in leavers for at in sent[users[user_id]] if at > gone[user_id]]
    assert late == []
    assert sum(len(sent[users[user_id]]) for user_id in leavers) < len(leavers) * crowd.each, (
        "nobody left in time"
    )
    stayed = [user_id for user_id in users if user_id not in gone]
    assert [len(sent[users[user_id]]) for user_id in stayed] == [crowd.each] * len(stayed)


LOCK = threading.Lock()


def withdrawal(user_id: str, crowd: Crowd) -> ConsentEntry:
    return ConsentEntry(
        user_id=user_id, channel=crowd.channel, purpose=crowd.purpose, granted=False, method="one_click"
    )


def withdrawn_at(user_id: str, crowd: Crowd) -> datetime:
    with transaction() as connection:
        ((action, at),) = rows(
            connection,
            "SELECT action, at FROM consents WHERE user_id = %s AND channel = %s AND purpose = %s"
            " ORDER BY at DESC, id DESC LIMIT 1",
            (user_id, crowd.channel, crowd.purpose),
        )
    assert action == "withdraw"
    return at
