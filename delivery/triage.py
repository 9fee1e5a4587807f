"""What is done about dead letters without a person: by the class of their error, each notification once.

transient_network, capacity, unknown ─▶ one more life, spread over the class's time
permanent_address                    ─▶ the same, without the channel whose address is dead
everything else                      ─▶ stays, and an alarm is raised: `Triaged.staying`
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.clock import utc_now
from core.database import execute, transaction
from core.vocabulary import ErrorClass
from delivery import dead_letters
from delivery.dead_letters import DeadLetter, Filter

SPREAD: Mapping[ErrorClass, timedelta] = {
    ErrorClass.TRANSIENT_NETWORK: timedelta(minutes=10),
    ErrorClass.CAPACITY: timedelta(minutes=30),
    ErrorClass.UNKNOWN: timedelta(minutes=10),
    ErrorClass.PERMANENT_ADDRESS: timedelta(minutes=1),
}
"""Classes that a further life may help → over how long those lives begin."""
LIVES = 2
"""Letters of one notification after which triage leaves it to a person."""


@dataclass(frozen=True, slots=True)
class Triaged:
    """Letters by error class: given another life, and staying with their reason (refused or not triage's to help)."""

    replayed: Mapping[str, int]
    staying: Mapping[tuple[str, str], int]


def triage(
    *,
    actor: str,
    most: int = 500,
    dry_run: bool = False,
    now: datetime | None = None,
    rng: random.Random | None = None,
) -> Triaged:
    """Act on at most `most` open letters; what stays is counted by (error class, why)."""
    at = now or utc_now()
    dice = rng or random.Random()
    replayed: Counter[str] = Counter()
    staying: Counter[tuple[str, str]] = Counter()
    for error_class, letters in _by_class(dead_letters.open_letters(Filter(), limit=most)).items():
        spread = SPREAD.get(ErrorClass(error_class)) if error_class in set(ErrorClass) else None
        if spread is None:
            staying.update((error_class, each.reason) for each in letters)
            continue
        fresh, tired = _parted(letters)
        staying.update((error_class, "had_its_lives") for _ in tired)
        dice.shuffle(fresh)
        if error_class == ErrorClass.PERMANENT_ADDRESS and not dry_run:
            _close_dead_channels(fresh)
        pace = max(1, round(len(fresh) / (spread / timedelta(minutes=1))))
        decisions = dead_letters.replay(
            [each.id for each in fresh], actor=actor, per_minute=pace, dry_run=dry_run, now=at
        )
        replayed[error_class] += sum(not each.refused for each in decisions)
        staying.update((error_class, each.refused) for each in decisions if each.refused)
    return Triaged(+replayed, +staying)


def _by_class(letters: Sequence[DeadLetter]) -> dict[str, list[DeadLetter]]:
    found: dict[str, list[DeadLetter]] = {}
    for each in letters:
        found.setdefault(each.error_class, []).append(each)
    return found


def _parted(letters: Sequence[DeadLetter]) -> tuple[list[DeadLetter], list[DeadLetter]]:
    fresh = [each for each in letters if each.earlier < LIVES - 1]
    return fresh, [each for each in letters if each.earlier >= LIVES - 1]


def _close_dead_channels(letters: Sequence[DeadLetter]) -> None:
    with transaction() as connection:
        execute(
            connection,
            "UPDATE attempts SET closes = 'channel' WHERE notification_id = ANY(%s::uuid[])"
            " AND error_class = 'permanent_address'",
            ([str(each.notification_id) for each in letters],),
        )
