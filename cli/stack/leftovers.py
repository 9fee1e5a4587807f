"""Ends what a killed run left behind, and nothing else: each process is recognised by the mark of this very folder."""

from contextlib import suppress
from pathlib import Path

import psutil

from cli.stack.supervisor import MARK

TERMINATE_SECONDS = 15.0


def leftovers(var: Path) -> list[psutil.Process]:
    """Live processes that carry this folder's mark in their environment, and the server of its cluster."""
    found = [process for process in psutil.process_iter() if _carries_mark(process, str(var))]
    postgres = _postmaster(var / "postgres" / "cluster")
    if postgres is not None and postgres not in found:
        found.append(postgres)
    ours = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in found if process.pid not in ours]


def sweep(var: Path) -> int:
    """Ends the leftovers of this folder, by SIGTERM and then by SIGKILL; how many there were."""
    found = leftovers(var)
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(found, timeout=TERMINATE_SECONDS)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=TERMINATE_SECONDS)
    return len(found)


def _carries_mark(process: psutil.Process, var: str) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == var)
    except (psutil.Error, OSError):  # gone meanwhile, or another account's
        return False


def _postmaster(cluster: Path) -> psutil.Process | None:
    """The server of the cluster by its lock file: PostgreSQL overwrites its environment with its title."""
    try:
        process = psutil.Process(int((cluster / "postmaster.pid").read_text().split("\n", 1)[0]))
        return process if process.name() == "postgres" and Path(process.cwd()) == cluster else None
    except (OSError, ValueError, psutil.Error):
        return None
