"""What the triage may do by itself about dead letters: send those again that a bad moment of a provider has killed.

It moves notifications through the ledger only. Never sent again: what may have been sent (an attempt is unknown or
open), what has expired, what was replayed before, and what failed for a reason that a repetition doesn't mend.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from core.database import execute, rows
from core.vocabulary import ErrorClass, State
from delivery import ledger

SPREAD: Mapping[ErrorClass, timedelta] = {
    ErrorClass.TRANSIENT_NETWORK: timedelta(minutes=10),
    ErrorClass.CAPACITY: timedelta(minutes=30),
    ErrorClass.UNKNOWN: timedelta(minutes=10),
}
"""Classes that a repetition may mend → over how long the repetitions are spread (full jitter)."""
REPLAYED = "replayed"
BY = "process-failed-messages"

CANDIDATES = """
SELECT d.id, d.notification_id, d.error_class, n.expires_at FROM dead_letters d
JOIN notifications n ON n.id = d.notification_id
WHERE d.settled_at IS NULL AND d.error_class = ANY(%s) AND n.state = 'dead' AND n.expires_at > %s
  AND NOT EXISTS (SELECT FROM attempts a WHERE a.notification_id = n.id AND (a.closed_at IS NULL OR a.outcome = 'unknown'))
  AND NOT EXISTS (SELECT FROM dead_letters earlier WHERE earlier.notification_id = n.id AND earlier.settled_as = 'replayed')
ORDER BY d.at LIMIT %s FOR UPDATE OF d, n SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Replay:
    """How many dead letters were sent again, by class."""

    error_class: str
    count: int


def replay(connection: Connection, *, now: datetime, most: int, rng: random.Random) -> list[Replay]:
    """Gives at most `most` dead notifications one more chance, spread over their class's time and before they expire."""
    found = rows(connection, CANDIDATES, ([str(each) for each in SPREAD], now, most))
    counts: dict[str, int] = {}
    for letter, notification, error_class, expires_at in found:
        spread = min(SPREAD[ErrorClass(error_class)], (expires_at - now) / 2)
        moved = ledger.move_by_proof(
            connection, [notification], State.ACCEPTED, reason=REPLAYED, due=now + spread * rng.random()
        )
        if moved:
            execute(
                connection,
                "UPDATE dead_letters SET settled_at = %s, settled_as = %s, settled_by = %s WHERE id = %s",
                (now, REPLAYED, BY, letter),
            )
            counts[error_class] = counts.get(error_class, 0) + 1
    return [Replay(name, count) for name, count in sorted(counts.items())]
