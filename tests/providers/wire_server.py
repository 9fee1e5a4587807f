"""A server that reads whole HTTP requests from raw sockets and answers, stalls or breaks off as it is told."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import parse_qs

import orjson

Behaviour = Callable[[socket.socket], bool]
"""What is done once a request was read; True when the connection lives on."""


@dataclass(frozen=True)
class Request:
    """One request as its bytes came."""

    head: str
    body: bytes
    connection: int

    @property
    def method(self) -> str:
        return self.head.split(" ", 1)[0]

    @property
    def target(self) -> str:
        return self.head.split(" ", 2)[1]

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.split("\r\n")[1:]
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    @property
    def form(self) -> dict[str, str]:
        return {
            name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()
        }

    @property
    def json(self):
        return orjson.loads(self.body)


class WireServer:
    """Plays `script` request by request, then does what `chosen_by` says, `default` unless a test replaced it."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.script: list[Behaviour] = []
        self.default: Behaviour = answer(200, {})
        self.chosen_by: Callable[[Request], Behaviour] = lambda _: self.default
        self.connections = 0
        self._context = context
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Close every connection, as a server does with idle ones."""
        while self._open:
            with suppress(OSError):
                self._open[-1].shutdown(socket.SHUT_RDWR)
            self._open.pop().close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with suppress(OSError, ValueError):
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True)
            self._open.append(sock)
            while (request := _read(sock, number)) is not None:
                self.requests.append(request)
                chosen = self.script.pop(0) if self.script else self.chosen_by(request)
                if not chosen(sock):
                    break
        sock.close()


def answer(status: int, body: object = b"", **headers: str) -> Behaviour:
    """A whole answer; a dict or list becomes JSON. Header names are written with underscores."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    given = {"content_type": "application/json", **headers}
    lines = "".join(f"{name.replace('_', '-').title()}: {value}\r\n" for name, value in given.items())
    head = f"HTTP/1.1 {status} Told\r\nContent-Length: {len(raw)}\r\n{lines}\r\n".encode()

    def behave(sock: socket.socket) -> bool:
        sock.sendall(head + raw)
        return True

    return behave


def say(raw: bytes, *, hang_up: bool = True) -> Behaviour:
    """Exactly these bytes."""

    def behave(sock: socket.socket) -> bool:
        sock.sendall(raw)
        return not hang_up

    return behave


def reset(sock: socket.socket) -> bool:
    """A TCP reset in place of an answer."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def stall(sock: socket.socket) -> bool:
    """No answer for as long as anybody waits."""
    with suppress(OSError):
        sock.recv(1)
    return False


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[WireServer]:
    server = WireServer(context)
    try:
        yield server
    finally:
        server.close()


def _read(sock: socket.socket, number: int) -> Request | None:
    held = b""
    while b"\r\n\r\n" not in held:
        piece = sock.recv(65536)
        if not piece:
            return None
        held += piece
    head, _, body = held.partition(b"\r\n\r\n")
    lengths = [
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    while len(body) < (lengths[0] if lengths else 0):
        body += sock.recv(65536)
    return Request(head.decode(), body, number)
