"""How fast is delivery? Every row beside the plain Celery design, in one run, on this machine.

make bench                   all rows
make bench ROWS=P1,P4        some of them
"""

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks.speed import bulk, doors, flow, live
from benchmarks.speed.figures import Figure
from benchmarks.speed.paper import calibration, publish, show
from benchmarks.speed.stage import Stage, open_stage

ROWS: Mapping[str, Callable[[Stage], Sequence[Figure]]] = {
    "P1": bulk.emails,
    "P2": bulk.texts,
    "P3": live.sustained,
    "P4": live.beside_bulk,
    "P5": live.accepting,
    "P6": flow.relay,
    "P7": flow.growth,
    "P8": doors.callbacks,
    "P9": doors.starts,
}


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rows", default=os.environ.get("ROWS", ""), help="e.g. P1,P4; all when empty")
    chosen = [name for name in arguments.parse_args().rows.upper().replace(" ", "").split(",") if name]
    if unknown := [name for name in chosen if name not in ROWS]:
        arguments.error(f"no row is named {', '.join(unknown)}: choose from {', '.join(ROWS)}")
    figures: list[Figure] = []
    with open_stage() as stage:
        machine = calibration(stage)
        for name in chosen or ROWS:
            began = time.monotonic()
            found = ROWS[name](stage)
            show(found, title=f"{name} ({time.monotonic() - began:.0f} s)")
            figures += found
    publish(figures, machine)


if __name__ == "__main__":
    main()
