"""The relay: every second, what is due in Postgres goes to its lane in chunks, as far as there is room; what was lost
is brought back.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from uuid import UUID

from core.crash_points import crash_point
from core.stopping import is_stopping
from delivery import recovery, unknowns
from delivery.recovery import Due
from tasks.app import RELAY_SECONDS, app
from tasks.base import BROKER_AWAY
from tasks.chunk import deliver_chunk
from tasks.room import chunk_size, room
from tasks.single_flight import single_flight

log = logging.getLogger(__name__)


@app.task(name="tasks.publish_due")
@single_flight("publish_due")
def publish_due() -> None:
    """Publish what is due, for as long as there is room and this second lasts."""
    until = time.monotonic() + RELAY_SECONDS
    while time.monotonic() < until and not is_stopping():
        published = sum(_publish(lane, found) for lane, found in recovery.due(room()).items())
        if published == 0:
            return


@app.task(name="tasks.recover_lapsed")
@single_flight("recover_lapsed")
def recover_lapsed() -> None:
    """Bring back what was claimed by workers that are gone."""
    recovery.recover_lapsed()


@app.task(name="tasks.resolve_unknown")
@single_flight("resolve_unknown")
def resolve_unknown() -> None:
    """Find out what became of messages whose provider never answered."""
    unknowns.resolve_unknown()


def _publish(lane: str, found: Sequence[Due]) -> int:
    """How many were published; what the broker did not take is due again at once."""
    chunks = list(_chunks(found, chunk_size(lane)))
    done = 0
    with app.producer_or_acquire() as producer:
        for number, chunk in enumerate(chunks):
            crash_point("before_publish")
            try:
                deliver_chunk.apply_async(
                    args=([str(each) for each in chunk],),
                    queue=lane,
                    producer=producer,
                    argsrepr=f"({len(chunk)} ids)",
                    kwargsrepr="{}",
                )
            except BROKER_AWAY:
                log.warning("broker_away", extra={"lane": lane, "chunks_left": len(chunks) - number})
                recovery.unpublish([each for left in chunks[number:] for each in left])
                return 0
            crash_point("after_publish")
            done += len(chunk)
    return done


def _chunks(found: Sequence[Due], size: int) -> Iterator[list[UUID]]:
    yield from ([each.id] for each in found if each.is_suspect)
    trusted = [each.id for each in found if not each.is_suspect]
    for start in range(0, len(trusted), size):
        yield trusted[start : start + size]
