"""Real PostgreSQL and Redis from Python wheels, for development and tests: no Docker, no system packages.

Two ways to use a server:

- ``with embedded_postgres(home) as url:`` runs it for the length of a block (tests);
- ``postgres_command(home, port=…)`` prepares its files and returns the foreground command that a supervisor runs.

``EmbeddedServerError`` is the parent of everything that may go wrong:

    EmbeddedServerError
    ├── ServerMissingError   no server program on this machine: install the named package
    ├── ServerInUseError     another live server works on the same folder: stop it
    └── ServerStartError     it ended or stayed silent: the error carries the end of its log
"""

from core.embedded.errors import (
    EmbeddedServerError,
    ServerInUseError,
    ServerMissingError,
    ServerStartError,
)
from core.embedded.launch import tethered
from core.embedded.ports import free_port, free_ports
from core.embedded.postgres import embedded_postgres, postgres_command, postgres_is_ready
from core.embedded.redis import embedded_redis, redis_command, redis_is_ready
from core.embedded.running import ServerCommand

__all__ = [
    "EmbeddedServerError",
    "ServerCommand",
    "ServerInUseError",
    "ServerMissingError",
    "ServerStartError",
    "embedded_postgres",
    "embedded_redis",
    "free_port",
    "free_ports",
    "postgres_command",
    "postgres_is_ready",
    "redis_command",
    "redis_is_ready",
    "tethered",
]
