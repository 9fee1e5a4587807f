"""What a batch decides for a person: a draft of a message, or a reason why there is none."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flows.audience import Recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a person gets; `period` and `campaign` when they differ from the batch's, `deliver_after` when it may wait.

    `note` is something about it that the run's table should count.
    """

    user_id: str
    payload: dict[str, Any]
    period: str | None = None
    deliver_after: datetime | None = None
    campaign: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why a person gets nothing; the reason names no personal data.

    `expected` when that is how it should be (there is nothing to tell them), so that nobody has to look into it.
    """

    user_id: str
    reason: str
    expected: bool = False


Prepare = Callable[[Sequence[Recipient]], Iterable[Draft | LeftOut]]
