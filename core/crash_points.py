"""Places where the fault suite lets a process die by SIGKILL: inert unless MINGUS_CRASH_AT names them.

`MINGUS_CRASH_AT=before_commit:0.01,after_call:0.05` kills this process with that probability whenever it passes there;
`MINGUS_CRASH_SEED` makes a run repeatable. Read here and nowhere else, and only in development and test.
"""

import os
import random
import signal
from functools import cache

POINTS = frozenset(
    {
        "before_commit",  # any transaction: nothing of it happened
        "after_commit",  # any transaction: it stands, and nobody was told
        "before_publish",
        "after_publish",
        "before_call",  # attempts are open, the provider has heard nothing
        "after_call",  # the provider has answered, we have written nothing
        "work_on",  # …=message type: a poison message, at the first look at it
    }
)


def crash_point(name: str) -> None:
    """Die here, if this run is meant to."""
    chances = _chances()
    if chances and (chance := chances.get(name)) and _dice().random() < chance:
        os.kill(os.getpid(), signal.SIGKILL)


@cache
def _chances() -> dict[str, float]:
    wanted = os.environ.get("MINGUS_CRASH_AT", "")
    if not wanted or os.environ.get("MINGUS_ENV", "development") not in {"development", "test"}:
        return {}
    pairs = [part.partition(":") for part in wanted.replace(" ", "").split(",") if part]
    unknown = {name.partition("=")[0] for name, _, _ in pairs} - POINTS
    if unknown:
        raise ValueError(
            f"MINGUS_CRASH_AT: {', '.join(sorted(unknown))} is none of {', '.join(sorted(POINTS))}"
        )
    return {name: float(chance or 1) for name, _, chance in pairs}


@cache
def _dice() -> random.Random:
    seed = os.environ.get("MINGUS_CRASH_SEED")
    return random.Random() if seed is None else random.Random(f"{seed}:{os.getpid()}")


os.register_at_fork(after_in_child=_dice.cache_clear)
