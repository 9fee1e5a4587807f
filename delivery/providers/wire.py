"""Reading one HTTP/1.1 answer from a socket, against a deadline (RFC 9112).

`http.client` would do, but its header parser (email.feedparser) costs more CPU than the rest of the call together:
see docs/decisions/0010-provider-http-client.md.
"""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: .*)?")
_PIECE = 65_536
_LONGEST_HEAD = 65_536
_LONGEST_BODY = 32 * 1024 * 1024
_BODYLESS = frozenset({204, 304})


class BrokenReply(Exception):
    """The other side did not speak HTTP/1.1, or stopped in the middle of a sentence."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; header names in lower case, repeated headers joined by a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ReplyReader:
    """Reads one answer; TimeoutError when it is not whole at `deadline` (monotonic seconds)."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._held = b""

    def read(self) -> tuple[Reply, bool]:
        """The answer, and whether the connection may carry another request; OSError or BrokenReply otherwise."""
        minor, status, headers = self._head()
        while 100 <= status < 200:
            minor, status, headers = self._head()
        coding = headers.get("transfer-encoding", "").lower()
        keep_alive = "close" not in headers.get("connection", "" if minor == b"1" else "close").lower()
        if status in _BODYLESS:
            body = b""
        elif coding == "chunked":
            body = self._chunks()
        elif coding:
            raise BrokenReply("unknown transfer coding")
        elif "content-length" in headers:
            body = self._exactly(_length(headers["content-length"].encode(), 10))
        else:
            body, keep_alive = self._rest(), False
        return Reply(status, headers, body), keep_alive and not self._held

    def _head(self) -> tuple[bytes, int, dict[str, str]]:
        first, *lines = self._until(b"\r\n\r\n", _LONGEST_HEAD).split(b"\r\n")
        found = _STATUS_LINE.fullmatch(first)
        if found is None:
            raise BrokenReply("no status line")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise BrokenReply("a header without a colon")
            key = name.lower()
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
        return found[1], int(found[2]), headers

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := _length(self._until(b"\r\n", 256).split(b";")[0].strip(), 16):
            if len(body) + size > _LONGEST_BODY:
                raise BrokenReply("the answer is too long")
            body += self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise BrokenReply("a chunk of the wrong length")
        while self._until(b"\r\n", _LONGEST_HEAD):
            pass  # trailers say nothing that we need
        return bytes(body)

    def _until(self, mark: bytes, limit: int) -> bytes:
        while (at := self._held.find(mark)) < 0:
            if len(self._held) > limit:
                raise BrokenReply("a line or head that does not end")
            self._held += self._more()
        found, self._held = self._held[:at], self._held[at + len(mark) :]
        return found

    def _exactly(self, size: int) -> bytes:
        if size > _LONGEST_BODY:
            raise BrokenReply("the answer is too long")
        pieces, have = [self._held], len(self._held)
        while have < size:
            pieces.append(self._more())
            have += len(pieces[-1])
        whole = b"".join(pieces)
        self._held = whole[size:]
        return whole[:size]

    def _rest(self) -> bytes:
        body = bytearray(self._held)
        self._held = b""
        while piece := self._receive():
            body += piece
            if len(body) > _LONGEST_BODY:
                raise BrokenReply("the answer is too long")
        return bytes(body)

    def _more(self) -> bytes:
        piece = self._receive()
        if not piece:
            raise BrokenReply("the connection ended before the answer did")
        return piece

    def _receive(self) -> bytes:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("the answer was not whole in time")
        self._sock.settimeout(left)
        return self._sock.recv(_PIECE)


def _length(digits: bytes, base: int) -> int:
    allowed = b"0123456789abcdefABCDEF" if base == 16 else b"0123456789"
    if not digits or digits.strip(allowed):
        raise BrokenReply("a length that is no number")
    return int(digits, base)
