"""Reading an answer: however the bytes arrive, the reply is the same; whatever arrives, nothing but two errors comes out."""

import socket
import threading
from contextlib import closing, suppress
from itertools import pairwise
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.providers.wire import BrokenReply, Reply, ReplyReader

HELLO = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4;name=value\r\nhell\r\n1\r\no\r\n0\r\nTrailer: said\r\n\r\n"
)


def read(pieces: list[bytes], *, hang_up: bool = True, patience: float = 2.0) -> tuple[Reply, bool]:
    ours, theirs = socket.socketpair()

    def speak() -> None:
        with closing(theirs):
            for piece in pieces:
                theirs.sendall(piece)
            if not hang_up:
                theirs.settimeout(5)
                theirs.recv(1)

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        with closing(ours):
            return ReplyReader(ours, monotonic() + patience).read()
    finally:
        speaker.join()


def cut(whole: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % len(whole) for place in places), len(whole)]
    return [whole[start:end] for start, end in pairwise(marks)]


@settings(deadline=None)
@given(st.sampled_from([HELLO, CHUNKED]), st.lists(st.integers(0, 500), max_size=8))
def test_an_answer_is_the_same_in_one_piece_or_in_many(whole: bytes, places: list[int]):
    reply, keep_alive = read(cut(whole, places))

    assert (reply.status, reply.body, keep_alive) == (200, b"hello", True)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_a_broken_reply_and_nothing_worse(garbage: bytes):
    with pytest.raises((BrokenReply, OSError)):
        read([garbage])


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 200))
def test_an_answer_with_a_wound_never_raises_anything_else(wound: bytes, place: int):
    spoilt = HELLO[: place % len(HELLO)] + wound + HELLO[place % len(HELLO) + len(wound) :]
    with suppress(BrokenReply, OSError):
        read([spoilt], patience=0.5)


@settings(deadline=None)
@given(st.sampled_from([HELLO, CHUNKED]), st.data())
def test_half_an_answer_is_no_answer(whole: bytes, data: st.DataObject):
    with pytest.raises(BrokenReply):
        read([whole[: data.draw(st.integers(0, len(whole) - 1))]])


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive", True),
        (b"HTTP/1.1 204 No Content", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5", True),
        (b"HTTP/1.1 200 OK", False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0", True),
    ],
)
def test_a_connection_is_kept_when_both_sides_know_where_the_answer_ends(head: bytes, keep_alive: bool):
    reply, kept = read([head + b"\r\n\r\n"])

    assert reply.body == b""
    assert kept is keep_alive


def test_bytes_after_the_answer_end_the_connection():
    assert read([HELLO + b"and more"])[1] is False


def test_repeated_headers_are_joined_and_names_are_in_lower_case():
    reply, _ = read([b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a:2\r\nContent-Length: 0\r\n\r\n"])

    assert reply.headers["x-a"] == "1, 2"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 140_000,
    ],
)
def test_lengths_codings_and_heads_that_lie_are_not_believed(answer: bytes):
    with pytest.raises(BrokenReply):
        read([answer])


def test_a_drip_of_bytes_does_not_prolong_the_deadline():
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        with closing(theirs):
            while not stop.wait(0.05):
                try:
                    theirs.sendall(b"H")
                except OSError:
                    return

    dripper = threading.Thread(target=drip)
    dripper.start()
    began = monotonic()
    with closing(ours), pytest.raises(TimeoutError):
        ReplyReader(ours, began + 0.3).read()
    stop.set()
    dripper.join()

    assert monotonic() - began < 30  # it drips for ever
