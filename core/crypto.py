"""Sealing at rest: AES-256-GCM envelopes bound to their place, blind indexes for equality, and signed tokens.

Envelope: version (1 byte) · key id (4) · nonce (12) · ciphertext and tag. The additional data is
`table.column:row`, so a value copied to another row, column or table does not open. Random 96-bit nonces allow
about 2^32 seals per key (NIST SP 800-38D §8.3): rotate long before by putting a new key first in the list.
"""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import SealBroken, SettingsError
from core.settings import Settings, settings

_VERSION = b"\x01"
_KEY_ID = slice(1, 5)
_NONCE = slice(5, 17)
_BODY = slice(17, None)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of one process: `sealing` by id (the first seals, all open), one for indexes, one for links."""

    sealing: Mapping[bytes, AESGCM]
    current: bytes
    index: bytes
    link: bytes
    _signing: hmac.HMAC = field(init=False, repr=False, compare=False)
    """Keyed once: a copy of it costs half of keying anew."""

    def __post_init__(self) -> None:
        """Prepares what every signature begins with."""
        object.__setattr__(self, "_signing", hmac.new(self.link, digestmod=hashlib.sha256))

    def seal(self, plain: bytes, *, place: str, row: object) -> bytes:
        """The sealed envelope of `plain`, valid only in `place` ("table.column") of `row` (its key)."""
        nonce = os.urandom(12)
        body = self.sealing[self.current].encrypt(nonce, plain, f"{place}:{row}".encode())
        return _VERSION + self.current + nonce + body

    def open(self, sealed: bytes | memoryview, *, place: str, row: object) -> bytes:
        """The plain bytes; SealBroken when the value was changed, moved, or its key is not in the ring."""
        envelope = bytes(sealed)
        key = self.sealing.get(envelope[_KEY_ID])
        if envelope[:1] != _VERSION or key is None:
            raise SealBroken(f"{place}: sealed under a key that this process does not hold")
        try:
            return key.decrypt(envelope[_NONCE], envelope[_BODY], f"{place}:{row}".encode())
        except InvalidTag:
            raise SealBroken(f"{place}: the value does not belong to this row or was changed") from None

    def blind_index(self, value: str, *, purpose: str) -> bytes:
        """A 32-byte HMAC-SHA256 of `value`, equal for equal values: search without seeing (own key per ring)."""
        return hmac.digest(self.index, f"{purpose}:{value}".encode(), hashlib.sha256)

    def sign(self, value: str, *, purpose: str) -> str:
        """A short URL-safe signature (128 bits) of `value` for links."""
        signing = self._signing.copy()
        signing.update(f"{purpose}:{value}".encode())
        mark = signing.digest()[:16]
        return base64.urlsafe_b64encode(mark).rstrip(b"=").decode()

    def signed(self, value: str, signature: str, *, purpose: str) -> bool:
        """True when `signature` is ours for `value`, compared in constant time."""
        return hmac.compare_digest(self.sign(value, purpose=purpose), signature)


def load_keyring(config: Settings) -> Keyring:
    """The ring from settings, or (never in production) from keys generated once under `var/`."""
    raw = {
        "sealing": config.sealing_keys and config.sealing_keys.get_secret_value(),
        "index": config.index_key and config.index_key.get_secret_value(),
        "link": config.link_key and config.link_key.get_secret_value(),
    }
    if not all(raw.values()):
        if config.environment == "production":
            raise SettingsError(
                "MINGUS_SEALING_KEYS, MINGUS_INDEX_KEY, MINGUS_LINK_KEY: give all in production"
            )
        generated = _development_keys(config.var / "keys.json")
        raw = {name: value or generated[name] for name, value in raw.items()}
    sealing: dict[bytes, AESGCM] = {}
    for part in str(raw["sealing"]).split(","):
        name, _, key = part.strip().partition(":")
        sealing[_key_id(name)] = AESGCM(_decode("MINGUS_SEALING_KEYS", key))
    return Keyring(
        sealing=sealing,
        current=next(iter(sealing)),
        index=_decode("MINGUS_INDEX_KEY", str(raw["index"])),
        link=_decode("MINGUS_LINK_KEY", str(raw["link"])),
    )


@lru_cache(maxsize=1)
def keyring() -> Keyring:
    """This process's keys, loaded once."""
    return load_keyring(settings())


def content_hash(data: bytes) -> bytes:
    """SHA-256, for telling same from other content under one idempotency key."""
    return hashlib.sha256(data).digest()


def _key_id(name: str) -> bytes:
    if not name or len(name) > 4 or not name.isascii():
        raise SettingsError(
            "MINGUS_SEALING_KEYS: each key is id:base64 with an id of 1 to 4 ASCII characters"
        )
    return name.encode().ljust(4, b"\x00")


def _decode(variable: str, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise SettingsError(f"{variable}: a key must be 32 bytes in base64")
    return key


def _development_keys(path: Path) -> dict[str, str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers start together; one of them makes the keys
        if not path.exists():
            fresh = {
                name: base64.b64encode(secrets.token_bytes(32)).decode()
                for name in ("sealing", "index", "link")
            }
            fresh["sealing"] = f"dev1:{fresh['sealing']}"
            draft = path.with_suffix(".new")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(fresh), encoding="utf-8")
            draft.rename(path)
        loaded: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return loaded
