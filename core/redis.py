"""Redis clients with explicit time limits, and Lua scripts that live beside their callers as files."""

import os
from functools import cache
from pathlib import Path

import redis
from redis.commands.core import Script
from redis.exceptions import RedisError

from core.settings import settings

REDIS_AWAY = (RedisError, OSError)
"""What an absent, full, loading or restarting Redis raises."""

_clients: dict[tuple[int, str], redis.Redis] = {}


def client(url: str | None = None) -> redis.Redis:
    """This process's client of `url` (default REDIS_URL): pooled, 2 s limits, keep-alive, made anew after a fork."""
    address = url or settings().redis_url.get_secret_value()
    key = (os.getpid(), address)
    if key not in _clients:
        _clients[key] = redis.Redis.from_url(
            address,
            socket_timeout=2,
            socket_connect_timeout=1,
            socket_keepalive=True,
            health_check_interval=30,
        )
    return _clients[key]


def disconnect() -> None:
    """Close this process's connections (at shutdown, and between tests)."""
    for (pid, _), connected in list(_clients.items()):
        if pid == os.getpid():
            connected.close()
    _clients.clear()
    script.cache_clear()


@cache
def script(file: Path) -> Script:
    """The Lua script of `file`, loaded by hash and re-loaded by redis-py when the server has forgotten it."""
    return client().register_script(file.read_text(encoding="utf-8"))
