"""The people of the world: some of them leave while it is hurt (I4), and alerts come before everything else (I6)."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from uuid import UUID

from benchmarks.chaos.world import World
from core.clock import utc_now
from core.database import DATABASE_AWAY, transaction
from core.statements import rows
from core.vocabulary import Channel, Purpose
from delivery import opt_out
from delivery.catalog import catalog
from delivery.consents import ConsentEntry

LEAVING = 5
"""People who unsubscribe from marketing mail in each scenario."""
LONGEST_GOODBYE = 180.0


@contextmanager
def leaving(world: World, *, after_seconds: float) -> Iterator[None]:
    """Let some people unsubscribe from marketing mail in the middle of everything; the next scenario is without them."""
    leavers = world.people[-LEAVING:]
    over = threading.Event()

    def leave() -> None:
        over.wait(after_seconds)
        for user_id in leavers:
            world.left[user_id] = _unsubscribe(user_id)

    thread = threading.Thread(target=leave, name="leaving", daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()
    del world.people[-LEAVING:]


def sent_after_leaving(world: World, taken: Mapping[UUID, Sequence[datetime]]) -> list[str]:
    """I4: what a provider took after its person had been told that nothing comes any more."""
    stuck = [user_id for user_id, at in world.left.items() if at is None]
    broken = [f"I4 {len(stuck)} could not leave within {LONGEST_GOODBYE:.0f} s"] if stuck else []
    with transaction() as connection:
        marketing = rows(
            connection,
            "SELECT id, user_id FROM notifications WHERE user_id = ANY(%s) AND message_type = ANY(%s)",
            (list(world.left), [name for name, row in catalog().items() if row.purpose is Purpose.MARKETING]),
        )
    late = [
        notification
        for notification, user_id in marketing
        if (at := world.left[user_id]) and any(sent > at for sent in taken.get(notification, ()))
    ]
    return broken + ([f"I4 {len(late)} sent after their person had left"] if late else [])


def alerts_come_first(world: World, campaign: str, *, within: float) -> list[str]:
    """I6: 95 of 100 alerts are sent `within` seconds after their acceptance, whatever else there is to do."""
    ((slowest,),) = world.sql(
        "SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM sent_at - created_at))::float"
        f" FROM notifications WHERE campaign = '{campaign}' AND lane = 'sms_critical' AND sent_at IS NOT NULL"
    )
    return [f"I6 alerts had to wait: p95 {slowest:.0f} s"] if slowest is not None and slowest > within else []


def _unsubscribe(user_id: str) -> datetime | None:
    """When it was surely done, asked for again and again as people do; None when it never was."""
    until = time.monotonic() + LONGEST_GOODBYE
    while time.monotonic() < until:
        entry = ConsentEntry(
            user_id=user_id,
            channel=Channel.EMAIL,
            purpose=Purpose.MARKETING,
            granted=False,
            method="web_form",
        )
        with suppress(*DATABASE_AWAY):
            if opt_out.withdraw([entry]):
                return utc_now()
        time.sleep(0.3)
    return None
