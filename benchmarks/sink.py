"""A provider that costs next to nothing: Twilio's create and Resend's two sends over TLS, answered after a set latency.

One thread, one epoll loop, no framework, so that what is measured is the sender. It counts what arrives and notes when
each marked message did (`mark 17` in its text), by the clock that all processes of a machine share.

    GET  /_sink              {"messages": …, "requests": …, "marks": {"17": seconds}, "busy": …}
    POST /_sink/reset?ms=5   forgets all and answers after so many milliseconds from now on
"""

import argparse
import json
import re
import select
import socket
import ssl
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MARK = re.compile(rb"mark(?:\+|%20| )(\d+)")
_PIECE = 262_144


@dataclass(slots=True)
class _Line:
    """One connection: what was read and not yet understood, and what is still to be written."""

    sock: ssl.SSLSocket
    shaken: bool = False
    read: bytearray = field(default_factory=bytearray)
    written: bytearray = field(default_factory=bytearray)


class Sink:
    """The server; `serve` runs until the process ends."""

    def __init__(self, certificate: str, key: str, port: int, milliseconds: float) -> None:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate, key)
        self._door = socket.create_server(("127.0.0.1", port), backlog=512)
        self._door.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._door, select.EPOLLIN)
        self._lines: dict[int, _Line] = {}
        self._due: deque[tuple[float, int, bytes]] = deque()
        self._run = uuid.uuid4().hex[:16]
        self._serial = 0
        self._forget(milliseconds)

    def _forget(self, milliseconds: float) -> None:
        self._latency = milliseconds / 1000
        self._messages = self._requests = 0
        self._marks: dict[int, float] = {}

    def serve(self) -> None:
        while True:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else 1.0
            for number, _ in self._poll.poll(wait):
                if number == self._door.fileno():
                    self._open()
                elif (line := self._lines.get(number)) is not None:
                    self._attend(line)
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                _, number, answer = self._due.popleft()
                if (line := self._lines.get(number)) is not None:
                    self._write(line, answer)

    def _open(self) -> None:
        plain, _ = self._door.accept()
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock = self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._lines[sock.fileno()] = _Line(sock)
        self._poll.register(sock.fileno(), select.EPOLLIN)

    def _attend(self, line: _Line) -> None:
        try:
            if not line.shaken:
                line.sock.do_handshake()
                line.shaken = True
            while True:
                piece = line.sock.recv(_PIECE)
                if not piece:
                    self._close(line)
                    return
                line.read += piece
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self._close(line)
            return
        if line.written:
            self._write(line, b"")
        self._understand(line)

    def _understand(self, line: _Line) -> None:
        while (end := line.read.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(line.read, 0, end + 2)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(line.read) < whole:
                return
            target = bytes(line.read[: line.read.find(b" HTTP/")])
            body = bytes(line.read[end + 4 : whole])
            del line.read[:whole]
            answer, later = self._answer(target, body)
            if later and self._latency:
                self._due.append((time.monotonic() + self._latency, line.sock.fileno(), answer))
            else:
                self._write(line, answer)

    def _answer(self, target: bytes, body: bytes) -> tuple[bytes, bool]:
        if target.startswith(b"GET /_sink"):
            report = {"messages": self._messages, "requests": self._requests, "marks": self._marks,
                      "busy": time.process_time()}  # fmt: skip
            return _reply(200, json.dumps(report)), False
        if target.startswith(b"POST /_sink/reset"):
            self._forget(float(target.rpartition(b"=")[2]))
            return _reply(200, "{}"), False
        self._requests += 1
        if target.endswith(b"/Messages.json"):
            self._messages += 1
            if (mark := _MARK.search(body)) is not None:
                self._marks[int(mark[1])] = time.monotonic()
            return _reply(201, f'{{"sid": "SM{self._id()}", "status": "queued", "num_segments": "1"}}'), True
        if target.endswith(b"/emails/batch"):
            count = body.count(b'"subject":')
            self._messages += count
            ids = ", ".join(f'{{"id": "{self._id()}"}}' for _ in range(count))
            return _reply(200, f'{{"data": [{ids}]}}'), True
        if target.endswith(b"/emails"):
            self._messages += 1
            return _reply(200, f'{{"id": "{self._id()}"}}'), True
        return _reply(404, "{}"), False

    def _id(self) -> str:
        self._serial += 1
        return f"{self._run}{self._serial:016x}"

    def _write(self, line: _Line, answer: bytes) -> None:
        line.written += answer
        try:
            while line.written:
                del line.written[: line.sock.send(line.written)]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self._close(line)
            return
        self._poll.modify(line.sock.fileno(), select.EPOLLIN | (select.EPOLLOUT if line.written else 0))

    def _close(self, line: _Line) -> None:
        number = line.sock.fileno()
        if self._lines.pop(number, None) is not None:
            self._poll.unregister(number)
            line.sock.close()


def _reply(status: int, body: str) -> bytes:
    return (
        f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def main(make: Callable[..., Sink] = Sink) -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--certificate", required=True)
    arguments.add_argument("--key", required=True)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--ms", type=float, default=5.0)
    given = arguments.parse_args()
    make(given.certificate, given.key, given.port, given.ms).serve()


if __name__ == "__main__":
    main()
