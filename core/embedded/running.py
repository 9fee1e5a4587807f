import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.embedded.errors import ServerStartError
from core.embedded.launch import tethered

READY_WITHIN_SECONDS = 30.0
STOP_WITHIN_SECONDS = 20.0
POLL_SECONDS = 0.05
TAIL_LINES = 20


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """A server whose files are prepared: the foreground command, the account to run it as, and where it answers."""

    argv: tuple[str, ...]
    account: str | None
    stop_signal: signal.Signals
    port: int
    url: str = field(repr=False)  # holds the password

    @property
    def tethered_argv(self) -> tuple[str, ...]:
        """The command that drops to the account and stops when its parent dies."""
        return tethered(self.argv, death_signal=self.stop_signal, user=self.account)


@contextmanager
def running(command: ServerCommand, *, log: Path, is_ready: Callable[[str], bool]) -> Iterator[str]:
    """Runs the server until the block ends and yields its URL once it answers; raises ServerStartError with its log."""
    with log.open("ab") as output:
        # A session of its own: Ctrl-C belongs to us, who stop the server after those that use it.
        process = subprocess.Popen(
            command.tethered_argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _await_ready(process, command, log=log, is_ready=is_ready)
        yield command.url
    finally:
        _stop(process, command.stop_signal)


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, or a word that there are none."""
    if not log.exists():
        return "(no log was written)"
    text = log.read_text(errors="replace").strip()
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"


def _await_ready(
    process: subprocess.Popen[bytes], command: ServerCommand, *, log: Path, is_ready: Callable[[str], bool]
) -> None:
    give_up = time.monotonic() + READY_WITHIN_SECONDS
    while not is_ready(command.url):
        if process.poll() is not None or time.monotonic() > give_up:
            how = (
                "did not answer in time" if process.returncode is None else f"ended with {process.returncode}"
            )
            raise ServerStartError(f"{Path(command.argv[0]).name} {how}; the end of {log}:\n{tail(log)}")
        time.sleep(POLL_SECONDS)


def _stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    process.send_signal(stop_signal)
    try:
        process.wait(STOP_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
