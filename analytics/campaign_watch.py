"""How a campaign is received, and whether it should stop: the lower end of each bad rate against its threshold."""

from collections.abc import Mapping
from dataclasses import dataclass

from analytics.intervals import wilson

FEWEST = 50
"""Before so many were sent nothing is judged."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Notifications of a campaign by what became of them."""

    accepted: int = 0
    waiting: int = 0
    sent: int = 0
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    failed: int = 0
    skipped: int = 0


def reason_to_pause(counts: Counts, thresholds: Mapping[str, float]) -> str:
    """Words when a rate is surely (95 %) above its threshold in percent; empty while all is well.

    `thresholds` has any of bounced, complained, failed. Complaints and bounces count against what was sent, failures
    against all that was tried.
    """
    tried = counts.sent + counts.failed
    for name, percent in thresholds.items():
        hits, total = getattr(counts, name), tried if name == "failed" else counts.sent
        if total < FEWEST:
            continue
        low = float(wilson(min(hits, total), total)[0])
        if low * 100 > percent:
            return f"{name} {hits} of {total}: surely above {percent:g} %"
    return ""
