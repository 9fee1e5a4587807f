"""Which requests and callbacks are spoilt, and how: the faults that the control API switches on and off."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from sandbox.fault_model import (
    Duplicate,
    Fault,
    Hang,
    Latency,
    Malformed,
    RateLimit,
    Refuse,
    Reset,
)

REFUSING = frozenset({"429", "5xx_before", "rate_limit"})
CALLBACK_KINDS = frozenset({"callbacks_duplicate", "callbacks_reorder", "callbacks_forge", "callbacks_drop"})
READ_KINDS = frozenset({"429", "5xx_before", "rate_limit", "reset"})  # what can befall a fetch or a list


@dataclass(slots=True)
class ActiveFault:
    """A fault that is switched on: its own random numbers, how often it struck, when it ends."""

    id: int
    fault: Fault
    switched_on: float
    rng: random.Random
    applied: int = 0
    window: int = 0
    used: int = 0

    @property
    def spent(self) -> bool:
        """Whether its count is used up or its time over."""
        fault = self.fault
        over = fault.seconds is not None and time.monotonic() - self.switched_on >= fault.seconds
        return over or (fault.count is not None and self.applied >= fault.count)

    def strikes(self, provider: str, to: Sequence[str]) -> bool:
        """Whether it befalls this request; draws a random number when it might."""
        fault = self.fault
        if self.spent or fault.provider not in {"any", provider}:
            return False
        if fault.to is not None and not any(fnmatchcase(address, fault.to) for address in to):
            return False
        if isinstance(fault.params, RateLimit) and not self._over_limit(fault.params.per_second):
            return False
        if fault.probability < 1 and self.rng.random() >= fault.probability:
            return False
        self.applied += 1
        return True

    def _over_limit(self, per_second: int) -> bool:
        second = int(time.monotonic())
        if second != self.window:
            self.window, self.used = second, 0
        self.used += 1
        return self.used > per_second

    def as_json(self) -> dict[str, Any]:
        """The fault with its id and how often it struck."""
        return {
            "id": self.id,
            **self.fault.model_dump(mode="json"),
            "applied": self.applied,
            "spent": self.spent,
        }


@dataclass(slots=True)
class Hit:
    """What befalls one request: a delay, and at most one fault of another kind."""

    delay_s: float = 0.0
    struck: ActiveFault | None = None

    @property
    def kind(self) -> str:
        """The kind of the fault, or an empty string."""
        return self.struck.fault.kind if self.struck else ""

    @property
    def name(self) -> str | None:
        """How the ledger calls what happened."""
        return "+".join(part for part in ("latency" if self.delay_s else "", self.kind) if part) or None

    @property
    def refuses(self) -> bool:
        """Whether the send is refused without being taken."""
        return self.kind in REFUSING

    @property
    def cuts_before(self) -> bool:
        """Whether the connection is reset before the send is taken."""
        return isinstance(self.params, Reset) and self.params.when == "before"

    @property
    def params(self) -> Any:
        """The parameters of the fault."""
        return self.struck.fault.params if self.struck else None

    @property
    def hang_seconds(self) -> float:
        """How long an answer is withheld."""
        return self.params.hang_seconds if isinstance(self.params, Hang) else 0.0

    @property
    def media_type(self) -> str:
        """The content type of a spoilt body."""
        return (
            "text/html"
            if isinstance(self.params, Malformed) and self.params.shape == "html"
            else "application/json"
        )

    def spoil(self, body: bytes) -> bytes:
        """The body as a broken proxy would pass it on."""
        shape = self.params.shape if isinstance(self.params, Malformed) else "truncated"
        return {
            "truncated": body[: len(body) // 2],
            "empty": b"",
            "html": b"<html><body>Bad gateway</body></html>",
        }[shape]


@dataclass(frozen=True, slots=True)
class CallbackPlan:
    """What befalls the callbacks of one message."""

    copies: int = 1
    reorder: bool = False
    drop: bool = False
    forge: bool = False


@dataclass(slots=True)
class Faults:
    """The faults that are switched on, in the order they were."""

    active: list[ActiveFault] = field(default_factory=list)
    _last_id: int = 0

    def add(self, fault: Fault) -> ActiveFault:
        """Switch a fault on; the same seed and the same order of requests strike the same requests."""
        self._last_id += 1
        seed = self._last_id if fault.seed is None else fault.seed
        added = ActiveFault(self._last_id, fault, time.monotonic(), random.Random(seed))
        self.active.append(added)
        return added

    def remove(self, fault_id: int | None = None) -> int:
        """Switch one fault off, or all; the number that were on."""
        before = len(self.active)
        self.active = [active for active in self.active if fault_id is not None and active.id != fault_id]
        return before - len(self.active)

    def draw(self, provider: str, *, scope: str, to: Sequence[str] = ()) -> Hit:
        """What befalls this request (`scope`: send or read)."""
        hit = Hit()
        for active in self.active:
            fault = active.fault
            if fault.scope not in {scope, "all"} or fault.kind in CALLBACK_KINDS:
                continue
            if fault.kind == "latency":
                if active.strikes(provider, to) and isinstance(fault.params, Latency):
                    hit.delay_s += fault.params.draw(active.rng)
            elif (
                hit.struck is None
                and (scope == "send" or fault.kind in READ_KINDS)
                and active.strikes(provider, to)
            ):
                hit.struck = active
        return hit

    def draw_callbacks(self, provider: str, to: Sequence[str]) -> CallbackPlan:
        """What befalls the callbacks of a message that was just taken."""
        plan: dict[str, Any] = {}
        for active in self.active:
            if active.fault.kind not in CALLBACK_KINDS or not active.strikes(provider, to):
                continue
            if isinstance(active.fault.params, Duplicate):
                plan["copies"] = active.fault.params.times
            else:
                plan[active.fault.kind.removeprefix("callbacks_")] = True
        return CallbackPlan(**plan)


def refusal_status(hit: Hit, default: int) -> int:
    """The HTTP status that an injected refusal was told to have, or the default."""
    params = hit.params
    return params.status if isinstance(params, Refuse) and params.status else default


def retry_after(hit: Hit) -> int:
    """Whole seconds for the Retry-After header of an injected 429."""
    params = hit.params
    return params.retry_after if isinstance(params, Refuse | RateLimit) else 1
