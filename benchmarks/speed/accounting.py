"""CPU seconds and memory of processes, from the kernel's own books."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

SERVERS = {"postgres": "postgres", "redis-server": "redis"}


def cpu_of_servers() -> dict[str, float]:
    """CPU seconds so far of the servers that this process has started, ended sessions included."""
    found = dict.fromkeys(SERVERS.values(), 0.0)
    for process in psutil.Process().children(recursive=True):
        try:
            if (name := process.name()) in SERVERS:
                found[SERVERS[name]] += _cpu(process)
        except psutil.NoSuchProcess:
            continue
    return found


def cpu_of(pids: Sequence[int]) -> float:
    """CPU seconds so far of processes and their children, the ended ones included."""
    return sum(_cpu(process) for process in _families(pids))


def peak_mb_of(pids: Sequence[int]) -> float:
    """The sum of the peak resident memory of processes and their children, in MB."""
    total = 0
    for process in _families(pids):
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
    return total / 1024


def _families(pids: Sequence[int]) -> Iterator[psutil.Process]:
    for pid in pids:
        parent = psutil.Process(pid)
        yield from (parent, *parent.children(recursive=True))


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
