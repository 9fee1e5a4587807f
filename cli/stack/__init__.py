"""The running stack: every process of the product on this machine, under one supervisor, all state in one folder.

    with Stack(Path("var")) as stack:      # or start() … stop()
        stack.urls["web"], stack.env, stack.pid("critical")
        stack.signal("critical", signal.SIGKILL)   # the supervisor starts it again

`table.py` says what runs; `site.py` where and with which environment; `supervisor.py` speaks to supervisord;
`leftovers.py` ends what a killed run has left. Errors, all with one clear line:

    StackError
    ├── StackRunningError      another run owns the folder: `mingus down`
    ├── StackNotRunningError   nothing runs: `mingus up`
    └── StartFailedError       a process did not come up: the text holds the end of its log
"""

from cli.stack.errors import StackError, StackNotRunningError, StackRunningError, StartFailedError
from cli.stack.process import Process
from cli.stack.record import Record, read_record
from cli.stack.site import Site, make_site
from cli.stack.stack import Stack
from cli.stack.table import processes

__all__ = [
    "Process",
    "Record",
    "Site",
    "Stack",
    "StackError",
    "StackNotRunningError",
    "StackRunningError",
    "StartFailedError",
    "make_site",
    "processes",
    "read_record",
]
