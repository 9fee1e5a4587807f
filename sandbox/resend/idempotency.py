"""Resend's idempotency keys: the same key and body within 24 hours is answered as the first time."""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from sandbox.resend.errors import resend_refusal
from sandbox.store import Record


def fingerprint(path: str, document: object) -> str:
    """A digest of what a request asks for, whatever the order of its fields."""
    return hashlib.sha256(path.encode() + orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(slots=True)
class Book:
    """Which keys were used for what, and which are in use at this moment."""

    ttl_s: float
    _used: dict[str, tuple[float, str, dict[str, Any]]] = field(default_factory=dict)
    _in_flight: set[str] = field(default_factory=set)

    def claim(self, key: str) -> None:
        """Take a key into use; raises 409 while another request uses it."""
        if key in self._in_flight:
            raise resend_refusal("concurrent_idempotent_requests")
        self._in_flight.add(key)

    def release(self, key: str) -> None:
        """The request that claimed the key is decided."""
        self._in_flight.discard(key)

    def earlier(self, key: str, digest: str) -> dict[str, Any] | None:
        """The answer given before under this key; raises 409 when it was for another body."""
        used = self._used.get(key)
        if used is None or time.time() - used[0] >= self.ttl_s:
            return None
        if used[1] != digest:
            raise resend_refusal("invalid_idempotent_request")
        return used[2]

    def remember(self, key: str, digest: str, body: dict[str, Any], at: float | None = None) -> None:
        """Keep the answer of an accepted request."""
        self._used[key] = (time.time() if at is None else at, digest, body)

    def forget(self) -> None:
        """Drop every key."""
        self._used.clear()

    def restore(self, records: Iterable[Record]) -> None:
        """Rebuild the keys from the ledger's entries."""
        for record in records:
            entry = record.entry
            key, digest = entry.get("idempotency_key"), entry.get("request_hash")
            if not key or not digest or entry["outcome"] == "replayed":
                continue
            at = record.created_at.timestamp()
            batch = entry.get("batch")
            if batch is None:
                if record.taken:
                    self.remember(key, digest, {"id": record.id}, at)
            elif batch["taken"]:
                self._restore_member(key, digest, record, at)

    def _restore_member(self, key: str, digest: str, record: Record, at: float) -> None:
        known = self._used.get(key)
        if known is None or known[1] != digest or at - known[0] >= self.ttl_s:
            batch = record.entry["batch"]
            self.remember(
                key, digest, {"data": [], "errors": []} if batch["permissive"] else {"data": []}, at
            )
        body = self._used[key][2]
        if record.taken:
            body["data"].append({"id": record.id})
        else:
            body["errors"].append(
                {"index": record.entry["batch"]["index"], "message": record.entry["message"]}
            )
