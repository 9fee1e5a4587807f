"""The way into the durable inbox: callbacks that arrive together share one transaction, each is answered after its commit.

A commit costs about as much for a hundred rows as for one, and it is the price of answering "taken" truthfully.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from core.database import DATABASE_AWAY
from core.errors import NotAccepted
from delivery.messages import DeliveryEvent
from delivery.receipts import receive

GATHER_SECONDS = 0.003
MOST_AT_ONCE = 500
MOST_WAITING = 20_000
"""Beyond this the database is not keeping up: the provider is told to try again later."""


@dataclass(frozen=True, slots=True)
class _Parcel:
    events: Sequence[DeliveryEvent]
    stored: asyncio.Future[None]


class Inbox:
    """Gathers callbacks for some milliseconds and stores them in one transaction, by one writer thread."""

    def __init__(self) -> None:
        self._waiting: list[_Parcel] = []
        self._arrived = asyncio.Event()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inbox")

    async def store(self, events: Sequence[DeliveryEvent]) -> None:
        """Durably store the events (known ones stay as they are); NotAccepted when the database is away or behind."""
        if len(self._waiting) >= MOST_WAITING:
            raise NotAccepted("too many callbacks are waiting to be stored: try again later")
        parcel = _Parcel(events, asyncio.get_running_loop().create_future())
        self._waiting.append(parcel)
        self._arrived.set()
        await parcel.stored

    async def run(self) -> None:
        """Store what arrives, for as long as the app lives."""
        while True:
            await self._arrived.wait()
            await asyncio.sleep(GATHER_SECONDS)
            parcels, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            if not self._waiting:
                self._arrived.clear()
            await self._write(parcels)

    async def _write(self, parcels: Sequence[_Parcel]) -> None:
        events = [event for parcel in parcels for event in parcel.events]
        stored = asyncio.get_running_loop().run_in_executor(self._writer, receive, events)
        await asyncio.wait([stored])
        error = stored.exception()
        if isinstance(error, DATABASE_AWAY):
            error = NotAccepted("the database did not take the callback: try again")
        if error is None or isinstance(error, NotAccepted) or len(parcels) == 1:
            _end(parcels, error)
        else:  # one that can't be stored must not spoil the others
            for parcel in parcels:
                await self._write([parcel])

    def close(self) -> None:
        """End the writer; whoever still waits is told to try again."""
        self._writer.shutdown(wait=True)
        _end(self._waiting, NotAccepted("the web app is stopping: try again"))


def _end(parcels: Sequence[_Parcel], refused: BaseException | None) -> None:
    for parcel in parcels:
        if parcel.stored.done():  # its sender hung up
            continue
        if refused is None:
            parcel.stored.set_result(None)
        else:
            parcel.stored.set_exception(refused)
