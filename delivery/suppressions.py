"""Addresses that nobody may send to, kept by blind index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr

from sqlalchemy import Connection

from core.crypto import keyring
from core.errors import InvalidAddress
from core.ids import new_id
from core.statements import execute, insert_rows
from core.vocabulary import Channel
from delivery.channels import CHANNELS

_PURPOSE = "address"
HALF_LIFE = timedelta(days=30)
"""The score of soft bounces counts half after this long."""
SUPPRESSED_FOR = timedelta(days=30)
"""How long an address that bounced softly too often is left alone; then it is tried again, with its score decayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionRequest:
    """One address to suppress, by its blind index, with the reason that a person will read later."""

    channel: Channel
    address_index: bytes
    reason: str
    source: str
    provider: str = ""
    note: str = ""
    score: float = 1.0
    until: datetime | None = None


def address_index(channel: Channel, address: str) -> bytes:
    """The blind index of a normalised address on its channel."""
    return keyring().blind_index(f"{channel}:{address}", purpose=_PURPOSE)


def index_of(channel: Channel, raw: str) -> bytes | None:
    """The blind index of an address in any usual spelling; None for what is no address."""
    try:
        return address_index(
            channel, CHANNELS[channel].address(parseaddr(raw)[1] or raw, reserved=True).normal
        )
    except InvalidAddress:
        return None


def suppress(connection: Connection, requests: Sequence[SuppressionRequest]) -> None:
    """Put addresses on the list; one that is there keeps its first reason, a mere score makes way."""
    if not requests:
        return
    unique = {(r.channel, r.address_index): r for r in requests}
    forget_score(connection, list(unique))
    insert_rows(
        connection,
        "INSERT INTO suppressions (id, channel, address_index, reason, source, provider, note, score, until) VALUES %s"
        " ON CONFLICT (channel, address_index) DO UPDATE SET score = GREATEST(suppressions.score, EXCLUDED.score),"
        " until = CASE WHEN suppressions.until IS NULL THEN NULL ELSE EXCLUDED.until END",
        [
            (new_id(), r.channel, r.address_index, r.reason, r.source, r.provider, r.note, r.score, r.until)
            for _, r in sorted(unique.items())
        ],
    )


def add_score(
    connection: Connection, channel: Channel, index: bytes, score: float, *, provider: str, now: datetime
) -> None:
    """Add to the score of an address that bounced softly; at 1 it is suppressed for `SUPPRESSED_FOR`.

    What was added before counts half after each `HALF_LIFE`. An address that is suppressed already stays as it is.
    """
    execute(
        connection,
        "WITH told AS (SELECT %(score)s::float8 AS score, %(now)s::timestamptz AS at)"
        " INSERT INTO suppressions AS s (id, channel, address_index, reason, source, provider, score, at)"
        " SELECT %(id)s, %(channel)s, %(index)s, 'soft_bounce', 'delivery_event', %(provider)s, score, at FROM told"
        " ON CONFLICT (channel, address_index) DO UPDATE SET at = EXCLUDED.at, provider = EXCLUDED.provider,"
        "  score = EXCLUDED.score + s.score"
        "   * 0.5 ^ (GREATEST(extract(epoch FROM EXCLUDED.at - s.at), 0)::float8 / %(half_life)s),"
        "  until = NULL"
        " WHERE s.reason = 'soft_bounce' AND (s.score < 1 OR s.until < EXCLUDED.at)",
        {
            "id": new_id(), "channel": channel, "index": index, "provider": provider, "score": score, "now": now,
            "half_life": HALF_LIFE.total_seconds(),
        },
    )  # fmt: skip
    execute(
        connection,
        "UPDATE suppressions SET until = %s WHERE channel = %s AND address_index = %s AND reason = 'soft_bounce'"
        " AND score >= 1 AND until IS NULL",
        (now + SUPPRESSED_FOR, channel, index),
    )


def forget_score(connection: Connection, addresses: Sequence[tuple[Channel, bytes]]) -> None:
    """Begin anew for addresses that were reached; other suppressions stay."""
    unique = sorted(set(addresses))
    if unique:
        execute(
            connection,
            "DELETE FROM suppressions s USING unnest(%s::text[], %s::bytea[]) AS a (channel, address_index)"
            " WHERE s.reason = 'soft_bounce' AND s.channel = a.channel AND s.address_index = a.address_index",
            ([str(channel) for channel, _ in unique], [index for _, index in unique]),
        )


def lift(connection: Connection, channel: Channel, index: bytes, *, reason: str | None = None) -> bool:
    """Take an address off the list (only if it is there for `reason`, where given); False when it was not on it."""
    return (
        execute(
            connection,
            "DELETE FROM suppressions WHERE channel = %(channel)s AND address_index = %(index)s"
            " AND (%(reason)s::text IS NULL OR reason = %(reason)s)",
            {"channel": channel, "index": index, "reason": reason},
        )
        > 0
    )
