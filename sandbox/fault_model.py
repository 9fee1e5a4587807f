"""The shape of a fault, validated: a wrong one is answered with the field's name and what it may be."""

import math
import random
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sandbox.bad_request import BadRequestError

Kind = Literal[
    "latency", "429", "5xx_before", "5xx_after", "accept_then_hang", "reset", "malformed", "rate_limit",
    "callbacks_duplicate", "callbacks_reorder", "callbacks_forge", "callbacks_drop",
]  # fmt: skip
Milliseconds = Annotated[float, Field(ge=0, le=600_000)]


class Strict(BaseModel):
    """A model that refuses unknown fields: a misspelt fault that does nothing is worse than an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lognormal(Strict):
    """Milliseconds with this median; sigma is the standard deviation of their logarithm."""

    median_ms: Milliseconds = Field(gt=0)
    sigma: float = Field(ge=0, le=5)


class Latency(Strict):
    """A delay before the request is looked at: exactly one of the three distributions."""

    fixed_ms: Milliseconds | None = None
    uniform: tuple[Milliseconds, Milliseconds] | None = None
    lognormal: Lognormal | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Latency":
        if sum(given is not None for given in (self.fixed_ms, self.uniform, self.lognormal)) != 1:
            raise ValueError("give exactly one of fixed_ms, uniform, lognormal")
        if self.uniform is not None and self.uniform[0] > self.uniform[1]:
            raise ValueError("uniform must be [low, high]")
        return self

    def draw(self, rng: random.Random) -> float:
        """Seconds to wait this time."""
        if self.uniform is not None:
            return rng.uniform(*self.uniform) / 1000
        if self.lognormal is not None:
            return rng.lognormvariate(math.log(self.lognormal.median_ms), self.lognormal.sigma) / 1000
        return (self.fixed_ms or 0) / 1000


class Refuse(Strict):
    """A 429 or a 5xx: HTTP status, the vendor's code (Twilio: number, Resend: name), Retry-After seconds."""

    status: int | None = Field(None, ge=400, le=599)
    code: int | str | None = None
    retry_after: int = Field(1, ge=0, le=86_400)


class Hang(Strict):
    """The message is taken, then nothing is answered for so long, then the connection is reset."""

    hang_seconds: float = Field(60, ge=0, le=3600)


class Reset(Strict):
    """The connection is reset after the message was taken, or before."""

    when: Literal["after", "before"] = "after"


class Malformed(Strict):
    """The message is taken and the 2xx answer's body is spoilt."""

    shape: Literal["truncated", "empty", "html"] = "truncated"


class RateLimit(Strict):
    """What exceeds so many requests in a second is answered with 429."""

    per_second: int = Field(ge=0)
    retry_after: int = Field(1, ge=0, le=86_400)


class Duplicate(Strict):
    """Each callback is posted so many times."""

    times: int = Field(2, ge=2, le=20)


class Nothing(Strict):
    """A fault without parameters."""


Params = Latency | Refuse | Hang | Reset | Malformed | RateLimit | Duplicate | Nothing
PARAMS: dict[str, type[Strict]] = {
    "latency": Latency,
    "429": Refuse,
    "5xx_before": Refuse,
    "5xx_after": Refuse,
    "accept_then_hang": Hang,
    "reset": Reset,
    "malformed": Malformed,
    "rate_limit": RateLimit,
    "callbacks_duplicate": Duplicate,
}


class Fault(Strict):
    """One fault: what, to whom, how likely, how often, for how long."""

    provider: Literal["twilio", "resend", "any"]
    kind: Kind
    probability: float = Field(1.0, ge=0, le=1)
    count: int | None = Field(None, ge=1)
    seconds: float | None = Field(None, gt=0)
    seed: int | None = None
    scope: Literal["send", "read", "all"] = "send"
    to: str | None = Field(None, min_length=1)
    params: Any = Field(default_factory=dict, validate_default=True)

    @field_validator("params", mode="after")
    @classmethod
    def _of_the_kind(cls, value: Any, info: Any) -> Any:
        return (
            value if "kind" not in info.data else PARAMS.get(info.data["kind"], Nothing).model_validate(value)
        )


def read_fault(document: object) -> Fault:
    """A fault from its JSON document; BadRequestError names the wrong field."""
    try:
        return Fault.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise BadRequestError(field, first["msg"].removeprefix("Value error, ")) from error
