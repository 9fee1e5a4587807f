"""Bulk and housekeeping yield the processor to alerts and to the servers, where they share a machine."""

import os
from contextlib import suppress
from pathlib import Path

NICENESS = 10
SESSION_NICENESS = 19


def yield_processor() -> None:
    """Make this process come after others; on a machine of its own that changes nothing.

    Linux shares the processor between sessions first (sched(7), autogroup) and looks at niceness only within one: a
    worker that leads a session, as a supervisor starts it, makes all of its session yield. In containers their CPU
    shares say it instead.
    """
    os.nice(NICENESS)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # another system, or a container that does not allow it
            Path("/proc/self/autogroup").write_text(str(SESSION_NICENESS))
