"""Access to the client's socket, which ASGI hides: needed to reset a connection as a broken network does."""

import asyncio
import socket
import struct
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from uvicorn.protocols.http.auto import AutoHTTPProtocol

LINGER_NOTHING = struct.pack("ii", 1, 0)  # close() then sends RST instead of FIN


def protocol_class() -> type[asyncio.Protocol]:
    """uvicorn's own HTTP protocol, which also hands each request its transport (`request.state.transport`)."""
    base = AutoHTTPProtocol

    def connection_made(self: Any, transport: asyncio.BaseTransport) -> None:
        base.connection_made(self, transport)
        self.app_state = {**self.app_state, "transport": transport}

    return type("SandboxProtocol", (base,), {"connection_made": connection_made})


def hang_up(request: Request) -> Response:
    """Reset the client's connection; the returned response goes nowhere."""
    transport: asyncio.Transport = request.state.transport
    client: socket.socket | None = transport.get_extra_info("socket")
    if client is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
    transport.abort()
    return Response(status_code=500)
