"""A batch taken step by step: each step is done for all before the next one begins.

Two hundred mails are rendered so in two thirds of the time that they take one after the other, likely because the code and
tables of one step stay in the processor's caches while all go through it (docs/performance.md).
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Step = Callable[[Any], Any]
Error = TypeVar("Error", bound=Exception)


def in_steps(items: Sequence[Any], *steps: Step, error: type[Error]) -> list[Any | Error]:
    """What the last step made of each item, in order, or the `error` that a step raised for it: it hinders no other."""
    made = list(items)
    for step in steps:
        for place, item in enumerate(made):
            if not isinstance(item, error):
                try:
                    made[place] = step(item)
                except error as problem:
                    made[place] = problem
    return made
