"""Messages for the world: accepted in the background while it is hurt, each with its own key, so that none is doubled by us."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from benchmarks.chaos.people import leaving
from benchmarks.chaos.world import World
from core.errors import NotAccepted
from delivery import Refused, Request, accept_many
from delivery.catalog import catalog

MIX = ("critical_financial",) * 4 + ("educational_content",) * 4 + ("monthly_report",) * 2
"""Four texts, six mails: every other one of the mails in the lane of reports."""


@dataclass(slots=True)
class Load:
    """What has been accepted so far; refused by an absent database is tried again under the same key."""

    accepted: set[UUID] = field(default_factory=set)
    turned_away: int = 0


def requests(world: World, campaign: str, numbers: Sequence[int], mix: Sequence[str] = MIX) -> list[Request]:
    """One request per number; every text is unlike any other, and holds a canary."""
    return [
        Request(
            user_id=world.people[number % len(world.people)],
            message_type=(kind := mix[number % len(mix)]),
            payload=_payload(kind, f"canary-text-{campaign}-{number}"),
            idempotency_key=f"{campaign}:{number}",
            campaign=campaign,
        )
        for number in numbers
    ]


def accept(load: Load, wanted: Sequence[Request], *, for_seconds: float = 60.0) -> None:
    """Accept all, however often it takes."""
    until = time.monotonic() + for_seconds
    while True:
        try:
            results = accept_many(wanted)
        except NotAccepted:
            load.turned_away += 1
            if time.monotonic() > until:
                raise
            time.sleep(0.3)
            continue
        for each in results:
            if isinstance(each, Refused):
                raise each.error
            load.accepted.add(each.notification_id)
        return


@contextmanager
def feeding(
    world: World, campaign: str, total: int, *, over_seconds: float, mix: Sequence[str] = MIX
) -> Iterator[Load]:
    """Accept `total` messages during the block, evenly over about `over_seconds`; all are in when it ends.

    In the middle of it some people leave.
    """
    load = Load()
    size = max(10, min(200, total // 10))
    failed: list[BaseException] = []

    def feed() -> None:
        began = time.monotonic()
        try:
            for start in range(0, total, size):
                accept(load, requests(world, campaign, range(start, min(start + size, total)), mix))
                ahead = over_seconds * (start + size) / total - (time.monotonic() - began)
                time.sleep(max(0.0, ahead))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=feed, name="feeding", daemon=True)
    thread.start()
    with leaving(world, after_seconds=over_seconds / 2):
        yield load
        thread.join()
    if failed:
        raise failed[0]


def _payload(kind: str, text: str) -> dict[str, object]:
    example = dict(catalog()[kind].example)
    field_of_text = {
        "critical_financial": "message",
        "educational_content": "topic",
        "career_insights": "insight",
    }
    return example | ({field_of_text[kind]: text} if kind in field_of_text else {})
