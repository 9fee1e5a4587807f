import fcntl
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from cli.stack.errors import StackError, StackNotRunningError, StackRunningError, StartFailedError
from cli.stack.leftovers import sweep
from cli.stack.process import Process
from cli.stack.record import Record, record_file, write_record
from cli.stack.site import Site, make_site
from cli.stack.supervisor import State, Supervisor
from cli.stack.table import processes
from core.embedded.running import tail

POLL_SECONDS = 0.2
TRIES_BEFORE_GIVING_UP = 3  # a process that ends so often before it is ready will not come up

Report = Callable[[str, float], None]


def silent(_name: str, _seconds: float) -> None:
    """Reports nothing."""


class Stack:
    """All processes of a table under one supervisor, from `start` to `stop`.

    Start it from a thread that lives as long as the stack: the kernel stops the supervisor when that thread is gone,
    so that nothing is left behind even if this process is killed.
    """

    def __init__(
        self,
        var: Path = Path("var"),
        *,
        environ: Mapping[str, str] | None = None,
        table: Callable[[Site], Sequence[Process]] = processes,
        only: Collection[str] | None = None,
        report: Report = silent,
    ) -> None:
        self.var = var.resolve()
        self._environ = dict(os.environ if environ is None else environ)
        self._make_table = table
        self._only = only
        self._report = report
        self._supervisor = Supervisor(self.var)
        self._held = ExitStack()
        self._giving_up = threading.Event()
        self._site: Site | None = None
        self._table: dict[str, Process] = {}

    def start(self) -> None:
        """Brings everything up, each process after those it needs; StackRunningError, StartFailedError, StackError."""
        self._own_folder()
        self._giving_up.clear()
        try:
            sweep(self.var)
            self._clear_logs()
            self._site = make_site(self.var, self._environ)
            self._table = _chosen(self._make_table(self._site), self._only)
            started_at = datetime.now(UTC)
            pid = self._supervisor.start(
                list(self._table.values()), cwd=self._site.root, env=self._site.child_env
            )
            self._record(supervisor=pid, started_at=started_at, ready=False)
            self._bring_all_up()
            self._record(supervisor=pid, started_at=started_at, ready=True)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops everything, those that need others first; nothing of the stack is alive afterwards."""
        self._giving_up.set()
        self._supervisor.shut_down(within=sum(process.stop_seconds for process in self._table.values()) + 10)
        sweep(self.var)
        record_file(self.var).unlink(missing_ok=True)
        self._held.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def site(self) -> Site:
        """Ports, modes and folders of the started stack."""
        if self._site is None:
            raise StackNotRunningError(f"The stack in {self.var} was not started.")
        return self._site

    @property
    def urls(self) -> Mapping[str, str]:
        """Addresses for people: web, prefect, flower, and sandbox unless both providers are real."""
        return self.site.urls

    @property
    def env(self) -> Mapping[str, str]:
        """What a program needs in its environment to talk to this stack."""
        return self.site.env

    @property
    def is_alive(self) -> bool:
        """Whether the supervisor still runs: without it nothing is restarted, so the stack is over."""
        return self._supervisor.is_alive

    def names(self) -> tuple[str, ...]:
        """The processes of this stack in the order of their start."""
        return tuple(self._table)

    def pid(self, name: str) -> int:
        """The process number of a running process now; it changes with each restart. StackError when it is not running."""
        state = self.state(name)
        if not state.pid:
            raise StackError(f"{name} is not running: {state.name} {state.description}")
        return state.pid

    def state(self, name: str) -> State:
        """What the supervisor knows of a process."""
        return self._supervisor.state(self._process(name))

    def log(self, name: str) -> Path:
        """The file that holds what a process says."""
        return self._supervisor.log_of(name)

    def signal(self, name: str, number: int) -> None:
        """Sends a signal to a process; if it dies of it, the supervisor starts it again."""
        self._supervisor.send(self._process(name), number)

    def restart(self, name: str) -> None:
        """Stops a process by its stop signal, starts it again, and returns when it is ready."""
        self.halt(name)
        self.resume(name)

    def halt(self, name: str) -> None:
        """Stops a process by its stop signal; it stays away until `resume`."""
        self._supervisor.halt(self._process(name))

    def resume(self, name: str) -> None:
        """Starts a process that was halted and returns when it is ready."""
        self._bring_up(self._process(name), needs=())

    def wait_ready(self, name: str, *, not_pid: int = 0) -> None:
        """Returns when a process is running and ready, under another number than `not_pid` (that of one just killed).

        Raises StartFailedError when it is not in time.
        """
        self._await_ready(self._process(name), not_pid=not_pid)

    def _process(self, name: str) -> Process:
        try:
            return self._table[name]
        except KeyError:
            raise StackError(
                f"No process is named {name!r}: choose one of {', '.join(self._table)}."
            ) from None

    def _own_folder(self) -> None:
        self.var.mkdir(parents=True, exist_ok=True)
        lock = self._held.enter_context((self.var / "stack.lock").open("a"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._held.close()
            raise StackRunningError(
                f"A stack already runs in {self.var}: stop it with `mingus down`, or choose another folder."
            ) from None

    def _clear_logs(self) -> None:
        (self.var / "log").mkdir(exist_ok=True)
        for old in (self.var / "log").glob("*.log*"):
            old.unlink()

    def _bring_all_up(self) -> None:
        coming: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(max_workers=len(self._table)) as pool:
            for process in self._table.values():
                needs = [coming[name] for name in process.needs if name in self._table]
                coming[process.name] = pool.submit(self._bring_up, process, needs)
            try:
                for done in as_completed(coming.values()):
                    done.result()
            finally:
                self._giving_up.set()  # the others stop waiting when one has failed or the user has had enough
        self._giving_up.clear()

    def _bring_up(self, process: Process, needs: Sequence[Future[None]]) -> None:
        for need in needs:
            need.result()
        if self._giving_up.is_set():
            return
        began = time.monotonic()
        self._supervisor.launch(process)
        self._await_ready(process)
        self._report(process.name, time.monotonic() - began)

    def _await_ready(self, process: Process, *, not_pid: int = 0) -> None:
        give_up = time.monotonic() + process.start_seconds
        seen: set[int] = set()
        while not self._giving_up.is_set():
            state = self._supervisor.state(process)
            seen |= {state.pid} - {0}
            if process.once and state.name == "EXITED" and state.exit_status == 0:
                return
            if not process.once and state.name == "RUNNING" and state.pid != not_pid and process.ready():
                return
            over = state.name in {"EXITED", "FATAL"} if process.once else state.name == "FATAL"
            if over or len(seen) > TRIES_BEFORE_GIVING_UP or time.monotonic() > give_up:
                log = self.log(process.name)
                raise StartFailedError(
                    f"{process.name} did not come up ({state.name} {state.description}).\n"
                    f"The end of {log}:\n{tail(log)}"
                )
            self._giving_up.wait(POLL_SECONDS)

    def _record(self, *, supervisor: int, started_at: datetime, ready: bool) -> None:
        me = psutil.Process()
        states = self._supervisor.states()
        write_record(
            self.var,
            Record(
                owner=me.pid,
                owner_created=me.create_time(),
                supervisor=supervisor,
                ready=ready,
                started_at=started_at.isoformat(),
                modes=self.site.modes,
                urls=self.site.urls,
                ports=self.site.ports,
                pids={name: states[name].pid for name in self._table if states[name].pid},
                env=self.site.env,
            ),
        )


def _chosen(table: Sequence[Process], only: Collection[str] | None) -> dict[str, Process]:
    """The rows that were asked for and all that they need, in the table's order."""
    rows = {process.name: process for process in table}
    if only is None:
        return rows
    unknown = set(only) - rows.keys()
    if unknown:
        raise StackError(f"No process is named {', '.join(sorted(unknown))}: choose from {', '.join(rows)}.")
    wanted = set(only)
    for process in reversed(table):
        if process.name in wanted:
            wanted |= set(process.needs)
    return {name: process for name, process in rows.items() if name in wanted}
