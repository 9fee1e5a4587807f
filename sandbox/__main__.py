"""`python -m sandbox`: serve until a signal; the first line printed says where."""

import asyncio
import socket
import sys

import uvicorn

from sandbox.app import build_app
from sandbox.connection import protocol_class
from sandbox.ledger import LedgerBusyError
from sandbox.settings import SettingsError, read_settings


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket.

    Its protocol is named: asyncio sets TCP_NODELAY only on sockets that say they are TCP, and without it
    every answer waits 40 ms for the client's delayed acknowledgement.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(2048)
    return listener


def main() -> int:
    """Serve; 2 with one clear line when a setting, the port or the data folder can't be used."""
    try:
        settings = read_settings(sys.argv[1:])
        listener = listen(settings.host, settings.port)
        app = build_app(settings)
    except (SettingsError, LedgerBusyError, OSError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    config = uvicorn.Config(
        app,
        http=protocol_class(),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
    )
    port = listener.getsockname()[1]
    scheme = "https" if settings.tls_cert else "http"
    print(f"sandbox: {scheme}://{settings.host}:{port}", flush=True)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
