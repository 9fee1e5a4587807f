from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from core.embedded import ServerCommand, tethered

Probe = Callable[[], bool]


class Tier(StrEnum):
    """What is stopped together; the supervisor stops the last tier first and waits for it."""

    SERVERS = "servers"
    SERVICES = "services"
    APPS = "apps"


def at_once() -> bool:
    """The probe of a process that serves nobody: running is ready."""
    return True


@dataclass(frozen=True, slots=True)
class Process:
    """One row of the table: what to run, what must be ready before, and how to tell that it is ready itself."""

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    ready: Probe = at_once
    once: bool = False  # runs to its end; ready when it has ended with 0
    tier: Tier = Tier.APPS
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    start_seconds: int = 240

    @classmethod
    def of_server(cls, name: str, server: ServerCommand, *, ready: Callable[[str], bool]) -> "Process":
        """The row of an embedded server: stopped last, by its own signal."""
        return cls(
            name=name,
            command=server.tethered_argv,
            ready=lambda: ready(server.url),
            tier=Tier.SERVERS,
            stop_signal=server.stop_signal.name.removeprefix("SIG"),
            stop_seconds=30,
        )

    @property
    def qualified_name(self) -> str:
        """The name that supervisord knows it by."""
        return f"{self.tier}:{self.name}"

    @property
    def tethered_command(self) -> tuple[str, ...]:
        """The command that is ended with the supervisor, should that be killed."""
        return self.command if self.tier is Tier.SERVERS else tethered(self.command)
