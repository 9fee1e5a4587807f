"""How many workers a lane needs and when its backlog will be gone, by Little's law (L = λ·W)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from core.errors import InvalidRequest

UTILISATION = 0.7
"""Above this share of busy workers, waiting grows steeply; wanted concurrency keeps below it."""
DRAIN_SECONDS = 300.0
"""Within this time a backlog should be gone."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A lane at one moment: what waits (queued, unacknowledged and due in Postgres) and the counters since start."""

    at: datetime
    depth: int
    arrived: int
    served: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Rates of a lane over some readings, per second; `net` below 0 means that it drains."""

    depth: int
    arrivals: float
    services: float
    seconds: float

    @property
    def net(self) -> float:
        """By how much the backlog grows each second."""
        return self.arrivals - self.services


def flow_of(readings: Sequence[Reading]) -> Flow | None:
    """The rates between the first and the last reading; None for fewer than two, because nothing can be said.

    A counter that fell (the worker started anew) counts from zero. InvalidRequest for readings out of order.
    """
    if len(readings) < 2:
        return None
    seconds = (readings[-1].at - readings[0].at).total_seconds()
    if seconds <= 0 or any(later.at < earlier.at for earlier, later in pairwise(readings)):
        raise InvalidRequest("readings", "must be in the order of time and span some")
    return Flow(
        readings[-1].depth,
        _grown([each.arrived for each in readings]) / seconds,
        _grown([each.served for each in readings]) / seconds,
        seconds,
    )


def _grown(counter: Sequence[int]) -> int:
    return sum(b - a if b >= a else b for a, b in pairwise(counter))


def seconds_to_drain(depth: float, arrivals: float, capacity: float) -> float:
    """Until `depth` is gone when `capacity` per second serve it while `arrivals` per second come; inf if never."""
    if depth <= 0:
        return 0.0
    return depth / (capacity - arrivals) if capacity > arrivals else math.inf


def waiting_seconds(depth: float, services: float) -> float:
    """How long a newcomer waits, by Little's law: depth / service rate; inf when something waits and nobody serves."""
    if depth <= 0:
        return 0.0
    return depth / services if services > 0 else math.inf


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many workers are wanted and why; `limited` when a bound and not the load decided."""

    wanted: int
    steady: float
    catching_up: float
    limited: bool

    def sentence(self) -> str:
        """For people and the log, with the numbers."""
        bound = ", at its bound" if self.limited else ""
        return f"{self.wanted} workers{bound}: {self.steady:.1f} for arrivals, {self.catching_up:.1f} for the backlog."


def wanted_concurrency(
    *, depth: float, arrivals: float, service_seconds: float, least: int, most: int,
    utilisation: float = UTILISATION, drain_seconds: float = DRAIN_SECONDS,
) -> Concurrency:  # fmt: skip
    """λ·S/ρ workers for the arrivals plus depth·S/T to be rid of the backlog in T seconds, within [least, most].

    `service_seconds` is the mean time one worker is busy with one notification. InvalidRequest for impossible input.
    """
    for name, value in (("depth", depth), ("arrivals", arrivals), ("service_seconds", service_seconds)):
        if not 0 <= value < math.inf:
            raise InvalidRequest(name, "must be finite and not negative")
    if not 0 <= least <= most:
        raise InvalidRequest("most", "the bounds must be 0 <= least <= most")
    if not 0 < utilisation <= 1 or drain_seconds <= 0:
        raise InvalidRequest("utilisation", "must lie in (0, 1], and drain_seconds above 0")
    steady = arrivals * service_seconds / utilisation
    catching_up = depth * service_seconds / drain_seconds
    # a hair below a whole number is that number: 2.0000000001 workers are two
    asked = math.ceil(steady + catching_up - 1e-9)
    wanted = min(max(asked, least), most)
    return Concurrency(wanted, steady, catching_up, wanted != asked)
