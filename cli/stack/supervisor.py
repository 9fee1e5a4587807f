"""supervisord as our process supervisor: its configuration, and its XML-RPC over a unix socket."""

import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ProtocolError, ServerProxy

from cli.stack.errors import StackError, StartFailedError
from cli.stack.process import Process, Tier
from core.embedded import tethered
from core.embedded.running import tail

MARK = "MINGUS_STACK"  # in the environment of every process of a stack, and of no other
SOCKET_NAME_BYTES = 90  # the system's limit is 104 to 108, and supervisord binds a longer name first
LISTENS_WITHIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class State:
    """What the supervisor knows of one process; `name` is RUNNING, STARTING, BACKOFF, EXITED, STOPPED or FATAL."""

    name: str
    pid: int
    exit_status: int
    description: str


class Supervisor:
    """One supervisord: started tethered to the calling thread, asked and commanded over its socket."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.socket = _socket(var)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, table: Sequence[Process], *, cwd: Path, env: Mapping[str, str]) -> int:
        """Starts supervisord with nothing running yet; its process number. It stops when this thread ends."""
        _make_private(self.socket.parent)
        self.socket.unlink(missing_ok=True)
        configuration = self.var / "supervisord.conf"
        configuration.write_text(_configuration(table, var=self.var, socket=self.socket, cwd=cwd))
        log = self.log_of("supervisord")
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                tethered([sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(configuration)]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env={**env, MARK: str(self.var)},
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        give_up = time.monotonic() + LISTENS_WITHIN_SECONDS
        while not self.listens():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise StartFailedError(f"supervisord did not start; the end of {log}:\n{tail(log)}")
            time.sleep(0.05)
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the supervisord that we started still runs."""
        return self._process is not None and self._process.poll() is None

    def listens(self) -> bool:
        """Whether a supervisord answers on the socket."""
        try:
            return bool(self._ask("getState"))
        except StackError:
            return False

    def launch(self, process: Process) -> None:
        """Starts one process of the table; what became of it is told by `state`."""
        self._ask("startProcess", process.qualified_name, False)

    def halt(self, process: Process) -> None:
        """Stops one process by its stop signal and waits for its end."""
        self._ask("stopProcess", process.qualified_name, True)

    def send(self, process: Process, signal_number: int) -> None:
        """Sends a signal to one process; the supervisor starts it again when that ends it."""
        self._ask("signalProcess", process.qualified_name, str(signal_number))

    def state(self, process: Process) -> State:
        """What one process is doing now."""
        return _state(self._ask("getProcessInfo", process.qualified_name))

    def states(self) -> dict[str, State]:
        """What all processes are doing now, by name."""
        return {info["name"]: _state(info) for info in self._ask("getAllProcessInfo")}

    def shut_down(self, *, within: float) -> None:
        """Stops all processes tier by tier, then supervisord itself; kills it when it takes longer than `within` seconds."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.socket.unlink(missing_ok=True)
        if self.socket.parent != self.var:
            self.socket.parent.rmdir()

    def log_of(self, name: str) -> Path:
        """The file that holds what a process says."""
        return self.var / "log" / f"{name}.log"

    def _ask(self, method: str, *arguments: Any) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(serverurl=f"unix://{self.socket}")
        try:
            return getattr(ServerProxy("http://localhost", transport=transport).supervisor, method)(
                *arguments
            )
        except (OSError, ProtocolError, Fault) as error:
            raise StackError(f"The supervisor does not carry out {method} {arguments}: {error}") from error
        finally:
            transport.close()


def _state(info: Mapping[str, Any]) -> State:
    return State(
        name=str(info["statename"]),
        pid=int(info["pid"]),
        exit_status=int(info["exitstatus"]),
        description=str(info["spawnerr"] or info["description"]),
    )


def _socket(var: Path) -> Path:
    """Below `var`, or where that name would be too long, in a private folder of ours with a short one."""
    near = var / "supervisor.sock"
    if len(os.fsencode(near)) < SOCKET_NAME_BYTES:
        return near
    short = (
        Path(tempfile.gettempdir())
        / f"mingus-{os.getuid()}-{hashlib.sha256(os.fsencode(var)).hexdigest()[:12]}"
    )
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid != os.getuid():
        raise StackError(
            f"{short} belongs to another account: remove it or set TMPDIR to a folder of your own."
        )
    return short / "supervisor.sock"


def _make_private(folder: Path) -> None:
    """Makes the socket's folder; one of another account in its place could listen in on us."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise StackError(
            f"{folder} belongs to another account: remove it or set TMPDIR to a folder of your own."
        )


def _configuration(table: Sequence[Process], *, var: Path, socket: Path, cwd: Path) -> str:
    """The table in supervisord's own words; the environment is inherited, so no secret is written here."""
    log = var / "log"
    head: dict[str, dict[str, object]] = {
        "unix_http_server": {"file": socket, "chmod": "0700"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "supervisord": {
            "logfile": log / "supervisor.log",
            "pidfile": var / "supervisord.pid",
            "childlogdir": log,
            "loglevel": "info",
            "silent": "true",
            **({"user": "root"} if os.geteuid() == 0 else {}),
        },
    }
    tiers: dict[str, dict[str, object]] = {
        f"group:{tier}": {"programs": ",".join(names), "priority": priority}
        for priority, tier in enumerate(Tier, start=1)
        if (names := [process.name for process in table if process.tier is tier])
    }
    programs = {f"program:{process.name}": _program(process, log=log, cwd=cwd) for process in table}
    return "\n".join(
        f"[{section}]\n"
        + "".join(f"{key}={str(value).replace('%', '%%')}\n" for key, value in entries.items())
        for section, entries in (head | tiers | programs).items()
    )


def _program(process: Process, *, log: Path, cwd: Path) -> dict[str, object]:
    return {
        "command": shlex.join(process.tethered_command),
        "directory": cwd,
        "autostart": "false",
        "autorestart": "false" if process.once else "true",
        "startsecs": 0 if process.once else 1,
        "startretries": 100,
        "exitcodes": 0,
        "stopsignal": process.stop_signal,
        "stopwaitsecs": process.stop_seconds,
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": str(log / f"{process.name}.log").replace(
            "%", "%%"
        ),  # this one option is expanded twice
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": 1,
    }
