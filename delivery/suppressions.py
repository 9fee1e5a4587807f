"""Addresses that nobody may send to, kept by blind index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core.crypto import keyring
from core.database import execute, insert_rows
from core.ids import new_id
from core.vocabulary import Channel

_PURPOSE = "address"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionRequest:
    """One address to suppress, by its blind index, with the reason that a person will read later."""

    channel: Channel
    address_index: bytes
    reason: str
    source: str
    provider: str = ""
    score: float = 1.0
    until: datetime | None = None


def address_index(channel: Channel, address: str) -> bytes:
    """The blind index of a normalised address on its channel."""
    return keyring().blind_index(f"{channel}:{address}", purpose=_PURPOSE)


def suppress(connection: Connection, requests: Sequence[SuppressionRequest]) -> None:
    """Put addresses on the list; one that is there keeps its first reason and the higher score."""
    if not requests:
        return
    unique = {(r.channel, r.address_index): r for r in requests}
    insert_rows(
        connection,
        "INSERT INTO suppressions (id, channel, address_index, reason, source, provider, score, until) VALUES %s"
        " ON CONFLICT (channel, address_index) DO UPDATE SET score = GREATEST(suppressions.score, EXCLUDED.score),"
        " until = CASE WHEN suppressions.until IS NULL THEN NULL ELSE EXCLUDED.until END",
        [
            (new_id(), r.channel, r.address_index, r.reason, r.source, r.provider, r.score, r.until)
            for r in unique.values()
        ],
    )


def lift(connection: Connection, channel: Channel, index: bytes) -> bool:
    """Take an address off the list; False when it was not on it."""
    return (
        execute(
            connection, "DELETE FROM suppressions WHERE channel = %s AND address_index = %s", (channel, index)
        )
        > 0
    )
