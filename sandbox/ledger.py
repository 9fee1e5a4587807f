"""The durable ledger: one JSON line per send, on disk before the sender is answered."""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson

Entry = dict[str, Any]


class LedgerBusyError(RuntimeError):
    """Another sandbox holds this data folder."""


class Place(NamedTuple):
    """Where a line stands in the file: its first byte and its length."""

    offset: int
    length: int


class Ledger:
    """Append-only JSON lines with group commit: one fsync serves all who wait for it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LedgerBusyError(
                f"{path.parent} is in use by another sandbox; give --data another folder"
            ) from error
        self._end = 0
        self._seq = 0
        self._pending: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "ledger")

    def load(self) -> Iterator[tuple[Entry, Place]]:
        """Every entry on disk, oldest first; a last line torn by a crash was never answered and is cut off."""
        with os.fdopen(os.dup(self._file), "rb") as lines:
            lines.seek(0)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                place = Place(self._end, len(line))
                entry: Entry = orjson.loads(line)
                self._end += len(line)
                self._seq = entry["seq"]
                yield entry, place
        os.ftruncate(self._file, self._end)

    async def append(self, entries: list[Entry]) -> list[Place]:
        """Number the entries, write them, and return when they are on disk; OSError when they are not."""
        places = []
        for entry in entries:
            self._seq += 1
            line = orjson.dumps({"seq": self._seq, **entry}, option=orjson.OPT_APPEND_NEWLINE)
            entry["seq"] = self._seq
            places.append(Place(self._end, len(line)))
            self._end += len(line)
            self._pending.append(line)
        if self._waiter is None:
            self._waiter = asyncio.get_running_loop().create_future()
        waiter = self._waiter
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_out())
        await asyncio.shield(waiter)
        return places

    async def _write_out(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending and self._waiter is not None:
            lines, waiter = self._pending, self._waiter
            self._pending, self._waiter = [], None
            try:
                await loop.run_in_executor(self._thread, self._commit, b"".join(lines))
            except OSError as error:
                waiter.set_exception(error)
            else:
                waiter.set_result(None)

    def _commit(self, lines: bytes) -> None:
        view = memoryview(lines)
        while view:
            view = view[os.write(self._file, view) :]
        os.fdatasync(self._file)

    def read(self, place: Place) -> Entry:
        """The whole entry at a place."""
        entry: Entry = orjson.loads(os.pread(self._file, place.length, place.offset))
        return entry

    async def clear(self) -> None:
        """Forget everything; numbering goes on while the process lives."""
        if self._writer is not None:
            await self._writer
        os.ftruncate(self._file, 0)
        os.fdatasync(self._file)
        self._end = 0

    def close(self) -> None:
        """Release the file (and with it the lock on the folder)."""
        self._thread.shutdown()
        os.close(self._file)


class Journal:
    """What happened to a message after its send: statuses and callbacks, one JSON line each, not fsynced.

    A crash may lose its last lines: then a status is entered, and called back, twice, as vendors do too.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def load(self) -> Iterator[Entry]:
        """Every whole line, oldest first; what a crash tore is skipped."""
        with os.fdopen(os.dup(self._file), "rb") as lines:
            lines.seek(0)
            for line in lines:
                with suppress(orjson.JSONDecodeError):
                    yield orjson.loads(line)

    def note(self, entry: Entry) -> None:
        """Add one line."""
        os.write(self._file, orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))

    def clear(self) -> None:
        """Forget everything."""
        os.ftruncate(self._file, 0)

    def close(self) -> None:
        """Release the file."""
        os.close(self._file)
