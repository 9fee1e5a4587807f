"""What is done about dead letters without a person: by the class of their error, each notification once.

transient_network, capacity, unknown ─▶ one more life, spread over the class's time, the soonest to expire first
permanent_address                    ─▶ the same, without the channel whose address is dead
everything else                      ─▶ stays: an alarm tells a person, until the letter is replayed or discarded
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from core.clock import utc_now
from core.database import transaction
from core.statements import execute, rows
from core.vocabulary import ErrorClass
from delivery import alarms, dead_letters
from delivery.alarms import Raised

SPREAD: Mapping[ErrorClass, timedelta] = {
    ErrorClass.TRANSIENT_NETWORK: timedelta(minutes=10),
    ErrorClass.CAPACITY: timedelta(minutes=30),
    ErrorClass.UNKNOWN: timedelta(minutes=10),
    ErrorClass.PERMANENT_ADDRESS: timedelta(minutes=1),
}
"""Classes that a further life may help → over how long those lives begin."""
ALARM = "dead_letters"
MOST_CAUSES = 50

# Left to a person: what a provider may have, what has expired, and what has had another life already.
CANDIDATES = """
SELECT d.id, d.notification_id FROM dead_letters d JOIN notifications n ON n.id = d.notification_id
WHERE d.settled_at IS NULL AND n.state = 'dead' AND d.error_class = %s AND n.expires_at > %s
  AND NOT EXISTS (SELECT FROM dead_letters e WHERE e.notification_id = n.id AND e.id <> d.id)
  AND NOT EXISTS (SELECT FROM attempts a WHERE a.notification_id = n.id AND a.closes = ''
    AND (a.closed_at IS NULL OR a.outcome = 'unknown'))
ORDER BY n.expires_at LIMIT %s
"""
STAYING = """
SELECT d.error_class, d.reason, count(*), n.expires_at > %s FROM dead_letters d
JOIN notifications n ON n.id = d.notification_id
WHERE d.settled_at IS NULL AND n.state = 'dead' GROUP BY 1, 2, 4 ORDER BY 3 DESC LIMIT %s
"""
HARMLESS_ONCE_EXPIRED = frozenset({ErrorClass.TRANSIENT_NETWORK, ErrorClass.CAPACITY, ErrorClass.EXPIRED})
"""Classes whose letters need nobody any more when their message has expired."""


@dataclass(frozen=True, slots=True)
class Triaged:
    """Letters given another life, by error class; those that stay for a person, by (error class, reason)."""

    replayed: Mapping[str, int]
    staying: Mapping[tuple[str, str], int]


def triage(*, actor: str, most: int = 500, now: datetime | None = None) -> Triaged:
    """Give at most `most` open letters another life, and make the alarms say what stays."""
    at = now or utc_now()
    replayed: Counter[str] = Counter()
    for error_class, spread in SPREAD.items():
        replayed[error_class] = _revive(error_class, spread, most - replayed.total(), actor, at)
    with transaction() as connection:
        staying = _staying(connection, at)
        alarms.settle(connection, ALARM, [_alarm(*cause, count) for cause, count in staying.items()], now=at)
    return Triaged(+replayed, staying)


def _revive(error_class: ErrorClass, spread: timedelta, most: int, actor: str, now: datetime) -> int:
    with transaction() as connection:
        found = rows(connection, CANDIDATES, (error_class, now, most))
    if error_class is ErrorClass.PERMANENT_ADDRESS:
        _close_dead_channels([notification_id for _, notification_id in found])
    pace = max(1, math.ceil(len(found) / (spread / timedelta(minutes=1))))
    decisions = dead_letters.replay([letter for letter, _ in found], actor=actor, per_minute=pace, now=now)
    return sum(not each.refused for each in decisions)


def _staying(connection: Connection, now: datetime) -> dict[tuple[str, str], int]:
    staying: Counter[tuple[str, str]] = Counter()
    for error_class, reason, count, is_in_time in rows(connection, STAYING, (now, MOST_CAUSES)):
        if is_in_time or error_class not in HARMLESS_ONCE_EXPIRED:
            staying[error_class, reason] += count
    return dict(staying)


def _alarm(error_class: str, reason: str, count: int) -> Raised:
    return Raised(
        f"{error_class or 'no class'}/{reason}",
        f"{count} messages were given up and wait for a person: {reason} ({error_class or 'no class'}).",
        {"count": count, "reason": reason, "error_class": error_class},
    )


def _close_dead_channels(notification_ids: Sequence[UUID]) -> None:
    with transaction() as connection:
        execute(
            connection,
            "UPDATE attempts SET closes = 'channel' WHERE notification_id = ANY(%s::uuid[])"
            " AND error_class = 'permanent_address'",
            ([str(each) for each in notification_ids],),
        )
