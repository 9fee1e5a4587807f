"""Nothing is sent after its time: a bill reminder of yesterday is worse than none."""

from collections.abc import Sequence
from datetime import datetime

from delivery.policies.base import ALLOW, Candidate, Facts, Verdict
from delivery.policies.reasons import Reason


def check(candidates: Sequence[Candidate], facts: Facts, now: datetime) -> list[Verdict]:  # noqa: ARG001  every policy takes the same
    """Skip what has expired at `now`."""
    return [
        Verdict.skip(Reason.EXPIRED, expires_at=one.expires_at.isoformat())
        if now >= one.expires_at
        else ALLOW
        for one in candidates
    ]
