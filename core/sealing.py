"""Envelopes for what is personal: sealed to their table, column and row, opened only there (`core.crypto`)."""

from core.crypto import keyring


class SealedBytes(bytes):
    """An envelope made by `seal`: the only thing that a sealed column takes."""

    __slots__ = ()


def seal(text_or_bytes: str | bytes, *, place: str, row: object) -> SealedBytes:
    """The envelope of a value, bound to `place` ("table.column") and to the key of its row."""
    plain = text_or_bytes.encode() if isinstance(text_or_bytes, str) else text_or_bytes
    return SealedBytes(keyring().seal(plain, place=place, row=row))


def unseal(sealed: bytes | memoryview, *, place: str, row: object) -> str:
    """The text of an envelope; SealBroken when it was moved or changed."""
    return keyring().open(sealed, place=place, row=row).decode()


def unseal_bytes(sealed: bytes | memoryview, *, place: str, row: object) -> bytes:
    """The bytes of an envelope; SealBroken when it was moved or changed."""
    return keyring().open(sealed, place=place, row=row)
