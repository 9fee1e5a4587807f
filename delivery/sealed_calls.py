"""What a call to a provider carries, sealed with its first attempt: a repeat must be the same to the byte.

All members of a call share one envelope. A hundred mails of one template compress to a thirtieth, and PostgreSQL stores
one value instead of a hundred that are too long for their rows: half of what a mail cost it (docs/performance.md).
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
import zstandard

from core.sealing import SealedBytes, seal, unseal_bytes
from core.vocabulary import Channel
from delivery.messages import Attachment, RenderedMessage

Content = tuple[str, RenderedMessage]
"""(address, message)."""

PLACE = "attempts.rendered"
COMPRESSED_FROM = 2000
"""Bytes: longer values PostgreSQL moves out of their row; shorter ones are kept as they are."""
_PLAIN, _DEFLATED, _ZSTD = b"\x00", b"\x01", b"\x02"
"""The first byte: how the rest is written. Deflated ones are read, of releases that wrote them."""


def seal_call(members: Sequence[Content], attempt_id: UUID) -> SealedBytes:
    """The members of one call in their order, sealed to its first attempt."""
    plain = orjson.dumps(members, default=bytes.hex)
    marked = _ZSTD + zstandard.compress(plain, 1) if len(plain) >= COMPRESSED_FROM else _PLAIN + plain
    return seal(marked, place=PLACE, row=attempt_id)


def open_call(sealed: bytes, attempt_id: UUID) -> list[Content]:
    """The members of `seal_call`; SealBroken when it was moved, changed, or its key is gone."""
    marked = unseal_bytes(sealed, place=PLACE, row=attempt_id)
    plain = _READERS[marked[:1]](marked[1:])
    return [(address, _message(fields)) for address, fields in orjson.loads(plain)]


_READERS: Mapping[bytes, Callable[[bytes], bytes]] = {
    _PLAIN: bytes,
    _DEFLATED: zlib.decompress,
    _ZSTD: zstandard.decompress,
}


def _message(fields: dict[str, Any]) -> RenderedMessage:
    attachments = tuple(
        Attachment(**{**file, "content": bytes.fromhex(file["content"])}) for file in fields["attachments"]
    )
    return RenderedMessage(**{**fields, "channel": Channel(fields["channel"]), "attachments": attachments})
