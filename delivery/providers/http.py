"""The HTTP client under every provider: pooled, timed, verified, and exact about what left this process.

WireFailure
├── NotWritten   no byte of the request left us: it surely did not happen
│   └── TooLate  … because our claim is over or the worker stops
├── Unanswered   bytes left us and no whole answer came: it may have happened
├── Unreadable   a good status with a body that is not what was promised: it probably happened
└── Refused      a whole answer with a status of 400 or more: `reply` says why

It never retries, follows no redirects and reads no proxy from the environment.
"""

import os
import re
import select
import socket
import ssl
import threading
import weakref
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import certifi
import orjson

from delivery.providers import gate
from delivery.providers.wire import BrokenReply, Reply, ReplyReader

LONGEST_WAIT = 24 * 3600.0
_PLAIN = re.compile(r"[\x21-\x7e]+")


class WireFailure(Exception):
    """A call that did not end in a good answer; the subclass says what may have happened."""


class NotWritten(WireFailure):
    """No byte of the request left this process, so a repeat can't be a second message."""


class TooLate(NotWritten):
    """The gate had closed: another worker may hold the message by now."""


class Unanswered(WireFailure):
    """The request (or a part of it) left and no whole answer came back: the provider may have acted."""


class Unreadable(WireFailure):
    """A good status with a body that can't be read: the provider probably acted."""


class Refused(WireFailure):
    """A whole answer with an error status."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go; connections are shared by requests of one origin."""

    scheme: str
    host: str
    port: int
    authority: str


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """This process's one TLS context (making one costs 30 ms); SSL_CERT_FILE, OpenSSL's own variable, replaces the roots."""
    context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


class HttpClient:
    """Keep-alive connections to any origin, safe for threads; timeouts in seconds, `read_timeout` for a whole answer."""

    def __init__(
        self, *, connect_timeout: float, read_timeout: float, keep: int = 32, idle: float = 50.0
    ) -> None:
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._keep = keep
        self._idle_limit = idle
        self._idle: dict[Origin, deque[tuple[socket.socket, float]]] = defaultdict(deque)
        self._lock = threading.Lock()
        # Not __del__: among garbage that refers to itself (the SDKs' clients do) the sockets could go first.
        weakref.finalize(self, _close_all, self._idle)

    def exchange(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """The answer, whatever its status; NotWritten or Unanswered when there is none."""
        origin, target = _split(url)
        request = _request_bytes(method, target, origin, headers, body)
        sock = self._written(origin, request)
        reusable = False
        try:
            reply, reusable = ReplyReader(sock, monotonic() + self._read_timeout).read()
        except (OSError, BrokenReply) as error:
            raise Unanswered(f"no answer: {_reason(error)}") from error
        finally:  # also when a time limit or a signal interrupts the wait: a half-read socket must not be shared
            if reusable:
                self._give_back(origin, sock)
            else:
                sock.close()
        return reply

    def close(self) -> None:
        """Close the idle connections; the client can still be used."""
        with self._lock:
            _close_all(self._idle)

    def _written(self, origin: Origin, request: bytes) -> socket.socket:
        """A connection that has taken the whole request; one that died idle is replaced before a byte is lost."""
        while (sock := self._take(origin)) is not None:
            try:
                _write(sock, request, self._read_timeout)
                return sock
            except TooLate:
                raise
            except NotWritten:
                continue
        sock = self._connect(origin)
        _write(sock, request, self._read_timeout)
        return sock

    def _take(self, origin: Origin) -> socket.socket | None:
        while True:
            with self._lock:
                if not self._idle[origin]:
                    return None
                sock, since = self._idle[origin].pop()
            if monotonic() - since < self._idle_limit and not _has_something_to_say(sock):
                return sock
            sock.close()

    def _give_back(self, origin: Origin, sock: socket.socket) -> None:
        with self._lock:
            self._idle[origin].append((sock, monotonic()))
            spare = self._idle[origin].popleft()[0] if len(self._idle[origin]) > self._keep else None
        if spare is not None:
            spare.close()

    def _connect(self, origin: Origin) -> socket.socket:
        try:
            sock = socket.create_connection((origin.host, origin.port), timeout=self._connect_timeout)
        except (OSError, UnicodeError) as error:
            raise NotWritten(f"no connection: {_reason(error)}") from error
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if origin.scheme == "https":
                return tls_context().wrap_socket(sock, server_hostname=origin.host)
        except (OSError, ValueError) as error:
            sock.close()
            raise NotWritten(f"no connection: {_reason(error)}") from error
        return sock


def _close_all(idle: Mapping[Origin, deque[tuple[socket.socket, float]]]) -> None:
    """Leave no connection open; without the lock, which a fork may have copied while it was held."""
    for waiting in idle.values():
        while waiting:
            waiting.pop()[0].close()


def json_object(reply: Reply) -> dict[str, Any]:
    """The JSON object of a good answer; Refused from status 400 on, Unreadable for anything else that is not one."""
    if reply.status >= 400:
        raise Refused(reply)
    if not 200 <= reply.status < 300:
        raise Unreadable(f"status {reply.status} where 2xx was promised")
    return parse_object(reply.body)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; Unreadable when it is none."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable("the body is not JSON") from error
    if not isinstance(parsed, dict):
        raise Unreadable("the body is not a JSON object")
    return parsed


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until the provider wants to hear from us (RFC 9110 §10.2.3: seconds or a date), at most a day."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text) if text[0].isdigit() else (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _write(sock: socket.socket, request: bytes, timeout: float) -> None:
    """TooLate when the gate is closed. Only a first `send` that failed took nothing: after it, a part of the request may be on its way."""
    view = memoryview(request)
    sent = 0
    try:
        sock.settimeout(timeout)
        if gate.is_closed():
            raise TooLate("the claim is over")
        while sent < len(view):
            sent += sock.send(view[sent:])
    except OSError as error:
        sock.close()
        failure = Unanswered if sent else NotWritten
        raise failure(f"the request was cut off: {_reason(error)}") from error
    except BaseException:  # a time limit in the middle of a send
        sock.close()
        raise


def _request_bytes(
    method: str, target: str, origin: Origin, headers: Mapping[str, str], body: bytes
) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {origin.authority}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ValueError("a line break in a header")
    return f"{head}\r\n\r\n".encode("latin-1") + body


@lru_cache(maxsize=1024)
def _split(url: str) -> tuple[Origin, str]:
    parts = urlsplit(url)
    plain = (
        _PLAIN.fullmatch(url) and "@" not in parts.netloc
    )  # urlsplit itself would drop line breaks in silence
    if not plain or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the URL must be http(s)://host/… in printable ASCII")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Origin(parts.scheme, parts.hostname, port, parts.netloc), target


def _has_something_to_say(sock: socket.socket) -> bool:
    """True when an idle connection is readable: the other side has closed it or speaks out of turn."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _reason(error: BaseException) -> str:
    return type(error).__name__ if not isinstance(error, BrokenReply) else str(error)
