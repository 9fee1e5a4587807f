"""The HTTP client: connections kept and replaced, certificates checked, and honesty about what was written."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from delivery.providers import http
from delivery.providers.http import HttpClient, NotWritten, Unanswered, retry_after
from tests.providers.people import NOON
from tests.providers.wire_server import WireServer, answer, reset, say, serving


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(connect_timeout=0.5, read_timeout=0.5, keep=2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    import ipaddress

    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


def get(client: HttpClient, server: WireServer, path: str = "/") -> http.Reply:
    return client.exchange("GET", server.url + path, headers={})


def test_calls_of_one_origin_share_a_connection(client: HttpClient, server: WireServer):
    for _ in range(5):
        assert get(client, server).status == 200

    assert server.connections == 1


def test_a_connection_that_died_while_idle_is_replaced_before_a_byte_is_lost(
    client: HttpClient, server: WireServer
):
    get(client, server)
    server.hang_up()

    assert get(client, server).status == 200
    assert (server.connections, len(server.requests)) == (2, 2)


def test_a_connection_is_not_kept_beyond_its_idle_time(server: WireServer):
    hasty = HttpClient(connect_timeout=0.5, read_timeout=0.5, idle=0.0)
    get(hasty, server)
    get(hasty, server)
    hasty.close()

    assert server.connections == 2


def test_a_server_that_speaks_out_of_turn_is_not_listened_to_again(client: HttpClient, server: WireServer):
    server.script = [say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", hang_up=False)]
    get(client, server)
    server.default = answer(201, {})

    assert get(client, server).status == 201


def test_more_threads_than_kept_connections_leave_no_connection_behind(
    client: HttpClient, server: WireServer
):
    gate = threading.Barrier(6)

    def slowly(sock: socket.socket) -> bool:
        gate.wait(5)
        return answer(200, {})(sock)

    server.default = slowly
    threads = [threading.Thread(target=get, args=(client, server)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert server.connections == 6
    assert sum(map(len, client._idle.values())) == 2


def test_nobody_there_is_not_written(client: HttpClient, server: WireServer):
    server.close()
    with pytest.raises(NotWritten):
        get(client, server)


def test_an_answer_that_breaks_off_is_unanswered_and_its_connection_forgotten(
    client: HttpClient, server: WireServer
):
    server.script = [reset]
    with pytest.raises(Unanswered):
        get(client, server)

    assert get(client, server).status == 200


class Refusing:
    """A socket that takes `first` bytes and then fails, as one does whose other side has gone."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.closed = False

    def settimeout(self, _: float) -> None:
        """Nothing waits here."""

    def send(self, view: memoryview) -> int:
        if self.first:
            taken, self.first = self.first, 0
            return taken
        raise BrokenPipeError

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("taken", "failure"), [(0, NotWritten), (1, Unanswered), (40, Unanswered)])
def test_one_byte_that_left_makes_the_difference(taken: int, failure: type[Exception]):
    sock = Refusing(taken)
    with pytest.raises(failure):
        http._write(sock, b"x" * 100, 1.0)

    assert sock.closed


def test_an_interrupted_wait_never_returns_its_connection_to_the_pool(
    client: HttpClient, server: WireServer, monkeypatch: pytest.MonkeyPatch
):
    class TimeLimit(BaseException):
        """As Celery's soft time limit is."""

    def interrupted(_: object) -> None:
        raise TimeLimit

    with monkeypatch.context() as patched:
        patched.setattr(http.ReplyReader, "read", interrupted)
        with pytest.raises(TimeLimit):
            get(client, server)

    assert get(client, server).status == 200
    assert server.connections == 2


def test_a_certificate_that_nobody_vouches_for_stops_the_call_before_the_request(
    client: HttpClient, certificate: Path
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(context) as server, pytest.raises(NotWritten, match="SSLCertVerificationError"):
        get(client, server)

    assert server.requests == []


def test_a_certificate_for_another_name_stops_the_call(
    client: HttpClient, certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    http.tls_context.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(context) as server:
        assert get(client, server).status == 200
        with pytest.raises(NotWritten, match="SSLCertVerificationError"):
            client.exchange("GET", f"https://localhost:{server.port}/", headers={})
    http.tls_context.cache_clear()


@pytest.mark.parametrize(
    "headers",
    [{"X-Name": "a\r\nX-Evil: 1"}, {"X-Name": "a\nX-Evil: 1"}, {"X-Name\r": "a"}],
)
def test_a_line_break_can_not_smuggle_a_header(
    client: HttpClient, server: WireServer, headers: dict[str, str]
):
    with pytest.raises(ValueError, match="line break"):
        client.exchange("GET", server.url, headers=headers)

    assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "/path",
        "http://",
        "http://user:word@host/",
        "http://host/a b",
        "http://host/\r\nX: 1",
        "http://host/é",
    ],
)
def test_only_plain_http_addresses_are_called(client: HttpClient, url: str):
    with pytest.raises(ValueError, match="http"):
        client.exchange("GET", url, headers={})


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("999999999", 86_400.0),
        ("Tue, 24 Nov 2026 12:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("Tue, 24 Nov 2026 99:00:00 GMT", None),
        ("7 minutes", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_seconds_or_as_a_date(header: str, seconds: float | None):
    assert retry_after({"retry-after": header}, NOON) == seconds


def test_one_tls_context_serves_the_process():
    assert http.tls_context() is http.tls_context()
