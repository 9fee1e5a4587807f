"""Becomes another program, tethered to its parent: when the parent dies, even by SIGKILL, the kernel signals it.

Run as a file with an isolated interpreter (standard library only), so that it costs some 20 ms and no import of ours:
``python -I launch.py SIGNAL USER program [argument …]``. USER "-" stays as it is; any other name drops root to it first,
because setting another user clears the tether (prctl(2), PR_SET_PDEATHSIG).
The tether exists on Linux only; elsewhere the program starts without it and leftovers are found at the next start.
"""

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def tethered(
    argv: Sequence[str], *, death_signal: signal.Signals = signal.SIGTERM, user: str | None = None
) -> tuple[str, ...]:
    """The same command, run as `user` and sent `death_signal` when the thread that started it is gone."""
    return (sys.executable, "-I", __file__, death_signal.name, user or "-", *argv)


def tether(death_signal: signal.Signals) -> None:
    """Asks the kernel to send this process `death_signal` when its parent dies (Linux; no-op elsewhere)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)


def drop_to(user: str) -> None:
    """Gives up root for good: group, supplementary groups, user, HOME."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ.update(HOME="/", USER=user, LOGNAME=user)


def main(argv: Sequence[str]) -> None:
    """Drops the user, ties the tether, becomes the program."""
    death_signal, user, *command = argv
    parent = os.getppid()
    if user != "-":
        drop_to(user)
    tether(signal.Signals[death_signal])
    if os.getppid() != parent:
        sys.exit("The parent died before the program could be tied to it.")
    os.execvp(command[0], command)  # noqa: S606 -- becoming the program without a shell is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
