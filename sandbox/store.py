"""What the sandbox knows at this moment: built from the ledger and the journal, kept in memory."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sandbox.ledger import Entry, Journal, Ledger, Place

HEAVY = ("html", "text", "attachments")  # stay on disk and are read back when asked for


@dataclass(slots=True)
class Record:
    """One entry of the ledger (without its heavy fields) and what became of it."""

    entry: Entry
    place: Place
    status: str
    updated_at: datetime
    sent_at: datetime | None = None
    error_code: int | None = None
    removed: bool = False
    redacted: bool = False
    history: list[tuple[str, str]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The provider's id, or an empty string for a refused send."""
        return self.entry.get("id") or ""

    @property
    def created_at(self) -> datetime:
        """When the send was written down."""
        return datetime.fromisoformat(self.entry["at"])

    @property
    def taken(self) -> bool:
        """Whether this is a message of the provider's: accepted, or received from a customer."""
        return self.entry["outcome"] in {"accepted", "received"}

    def summary(self) -> Entry:
        """The entry with its present state, as the control API tells it."""
        return {
            **self.entry,
            "status": self.status,
            "status_at": self.updated_at.isoformat(),
            "error_code": self.error_code,
            "history": self.history,
        }


class Store:
    """The records by id, recipient and provider, with opt-outs, suppressions; the only writer of the files."""

    def __init__(self, folder: Path) -> None:
        self._ledger = Ledger(folder / "ledger.jsonl")
        self._journal = Journal(folder / "events.jsonl")
        self._forget()
        for entry, place in self._ledger.load():
            self._index(entry, place)
        for event in self._journal.load():
            self._replay(event)

    def _forget(self) -> None:
        self.records: list[Record] = []
        self.by_id: dict[str, Record] = {}
        self._by_address: dict[tuple[str, str], list[Record]] = defaultdict(list)
        self._by_provider: dict[str, list[Record]] = defaultdict(list)
        self.opted_out: set[tuple[str, str]] = set()
        self.suppressions: dict[str, dict[str, Any]] = {}
        self.changes = getattr(self, "changes", 0) + 1  # pages look here whether to draw anew

    async def write(self, entries: list[Entry]) -> list[Record]:
        """Write entries to the ledger and index them; returns when they are on disk."""
        places = await self._ledger.append(entries)
        return [self._index(entry, place) for entry, place in zip(entries, places, strict=True)]

    def _index(self, entry: Entry, place: Place) -> Record:
        light = {name: value for name, value in entry.items() if name not in HEAVY}
        record = Record(
            light, place, light.get("first_status") or light["outcome"], datetime.fromisoformat(light["at"])
        )
        self.records.append(record)
        self.changes += 1
        if record.taken:
            self.by_id[record.id] = record
            self._by_provider[light["provider"]].append(record)
            for address in recipients(light):
                self._by_address[light["provider"], address].append(record)
        return record

    def enter(self, record: Record, status: str, error_code: int | None = None) -> None:
        """Move a message to a status, now."""
        event: Entry = {"at": datetime.now(UTC).isoformat(), "id": record.id, "status": status}
        if error_code is not None:
            event["error_code"] = error_code
        self.note(event)

    def note(self, event: Entry) -> None:
        """Apply an event and keep it."""
        self._replay(event)
        self._journal.note(event)

    def keep(self, event: Entry) -> None:
        """Keep an event that changes nothing here (a callback and its answer)."""
        self._journal.note(event)

    def _replay(self, event: Entry) -> None:
        self.changes += 1
        record = self.by_id.get(event.get("id", ""))
        if record is not None and "status" in event:
            record.status = event["status"]
            record.updated_at = datetime.fromisoformat(event["at"])
            record.error_code = event.get("error_code", record.error_code)
            record.history.append((event["status"], event["at"]))
            if record.sent_at is None and event["status"] in {"sent", "delivered", "undelivered"}:
                record.sent_at = record.updated_at
        if record is not None and event.get("removed"):
            record.removed = True
        if record is not None and event.get("redacted"):
            record.redacted = True
        if "opt_out" in event:
            change = self.opted_out.add if event["opt_out"] else self.opted_out.discard
            change((event["from"], event["to"]))
        if "suppress" in event:
            self.suppressions[event["suppress"]["email"]] = event["suppress"]
        if "unsuppress" in event:
            self.suppressions.pop(event["unsuppress"], None)

    def suppress(self, address: str, origin: str, source_id: str | None) -> dict[str, Any]:
        """Put an address on Resend's suppression list; one that stands there stays as it is."""
        if address not in self.suppressions:
            now = datetime.now(UTC).isoformat()
            row = {
                "id": str(uuid4()),
                "email": address,
                "origin": origin,
                "source_id": source_id,
                "created_at": now,
            }
            self.note({"at": now, "suppress": row})
        return self.suppressions[address]

    def full(self, record: Record) -> Entry:
        """The whole entry, heavy fields included, read back from the ledger."""
        return self._ledger.read(record.place)

    def messages(self, provider: str, to: str | None = None) -> Iterator[Record]:
        """The provider's messages that were not removed, newest first, of one recipient if asked."""
        found = self._by_provider[provider] if to is None else self._by_address.get((provider, to), [])
        return (record for record in reversed(found) if not record.removed)

    def matching(self, *, provider: str | None, to: str | None, since: datetime | None) -> Iterable[Record]:
        """Every record, refused and replayed ones too, oldest first."""
        for record in self.records:
            if provider is not None and record.entry["provider"] != provider:
                continue
            if to is not None and to not in recipients(record.entry):
                continue
            if since is None or record.created_at >= since:
                yield record

    async def clear(self) -> None:
        """Forget every message, opt-out and suppression, on disk too."""
        await self._ledger.clear()
        self._journal.clear()
        self._forget()

    def close(self) -> None:
        """Release the files."""
        self._ledger.close()
        self._journal.close()


def recipients(entry: Entry) -> list[str]:
    """The addresses an entry was meant for."""
    to = entry.get("to")
    if isinstance(to, str):
        return [to]
    return list(to or ())
