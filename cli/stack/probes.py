"""Questions whose "yes" means ready. Each answers within a few seconds and raises nothing."""

import base64
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from cli.stack.process import Probe

HTTP_SECONDS = 2.0
PING_SECONDS = 15
PING_IS_FRESH_SECONDS = 1.0


def http_ok(url: str) -> Probe:
    """Whether GET answers with 2xx."""

    def probe() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=HTTP_SECONDS) as answer:  # noqa: S310 -- our own http URL
                return bool(200 <= answer.status < 300)
        except (OSError, ValueError):  # URLError and time-outs are OSErrors
            return False

    return probe


def prefect_worker_online(api: str, auth: str, pool: str) -> Probe:
    """Whether the pool exists and one of its workers has lately sent a heartbeat."""

    def probe() -> bool:
        request = urllib.request.Request(  # noqa: S310 -- our own http URL
            f"{api}/work_pools/{pool}/workers/filter",
            data=json.dumps({"workers": {"status": {"any_": ["ONLINE"]}}}).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Basic {base64.b64encode(auth.encode()).decode()}",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=HTTP_SECONDS) as answer:  # noqa: S310
                return bool(json.load(answer))
        except (OSError, ValueError):
            return False

    return probe


class CeleryNodes:
    """Which workers answer a ping over the broker; one question serves all workers that start together."""

    def __init__(self, *, env: Mapping[str, str], cwd: Path) -> None:
        self._env = dict(env)
        self._cwd = cwd
        self._lock = threading.Lock()
        self._answered: frozenset[str] = frozenset()
        self._asked_at = float("-inf")

    def answers(self, name: str) -> Probe:
        """Whether the worker `name@this-host` answers."""
        node = f"{name}@{socket.gethostname()}"

        def probe() -> bool:
            with self._lock:
                if node not in self._answered or time.monotonic() - self._asked_at > PING_IS_FRESH_SECONDS:
                    self._answered = self._ask()
                    self._asked_at = time.monotonic()
                return node in self._answered

        return probe

    def _ask(self) -> frozenset[str]:
        try:
            asked = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "celery",
                    "-A",
                    "tasks",
                    "inspect",
                    "ping",
                    "--json",
                    "--timeout",
                    "1",
                ],
                check=False,
                capture_output=True,
                cwd=self._cwd,
                env=self._env,
                timeout=PING_SECONDS,
            )
            return frozenset(json.loads(asked.stdout.splitlines()[-1]))
        except (subprocess.TimeoutExpired, ValueError, IndexError):  # nobody answered
            return frozenset()
