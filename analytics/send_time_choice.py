"""Choosing the hour: the best allowed one before the deadline, unless waiting gains too little; and how we keep learning.

Every eligible send falls into one arm: the person's permanent holdout (default time), exploration (a uniform allowed
hour, so that the response can be learnt without our own habits in it), or the model's choice. The propensity of the
hour that was taken is logged with it; only so can the uplift be measured later (`analytics.off_policy`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from analytics.frames import UserWithoutZone
from analytics.person_hours import HOURS
from analytics.send_time import Curves
from core.errors import InvalidRequest

WAITING = 0.97
"""What an hour of waiting leaves of a window's worth."""
LEAST_GAIN = 0.05
"""A smaller gain than this over sending now is not worth a delay."""
EXPLORED = 0.05
HELD_OUT = 0.05
LONGEST_WAIT = 72

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Arm(StrEnum):
    """How a send's hour came about."""

    HOLDOUT = "holdout"
    EXPLORE = "explore"
    MODEL = "model"


class Reason(StrEnum):
    """Why a send goes when it goes, in a word for the log and for `mingus send-time`."""

    BETTER_HOUR = "better_hour"
    NOW_IS_BEST = "now_is_best"
    GAIN_TOO_SMALL = "gain_too_small"
    NO_ALLOWED_HOUR = "no_allowed_hour"
    CRITICAL = "critical"
    EXPLORATION = "exploration"
    HELD_OUT = "held_out"


@dataclass(frozen=True, slots=True)
class Choice:
    """When to send and why; `propensity` is the probability of this hour under the logging policy.

    `value_now` and `value_then` are window scores after the discount for waiting: the gain is their ratio. `until`
    equals `now` when the send should go at once; None when no hour before the deadline is allowed. `is_default`: it is
    the time of a send about which nothing is chosen, the first that is allowed.
    """

    until: datetime | None
    reason: Reason
    arm: Arm
    propensity: float
    waited_hours: int = 0
    value_now: float = 0.0
    value_then: float = 0.0
    is_default: bool = True


def draw(*parts: str) -> float:
    """A number in [0, 1) that is always the same for the same words and independent between different ones."""
    digest = blake2b(":".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def arm_of(user_id: str, notification_id: str, *, salt: str = "send-time") -> Arm:
    """The arm of one send: the holdout is the person's for good, exploration is drawn for each send."""
    if is_held_out(user_id, salt=salt):
        return Arm.HOLDOUT
    return Arm.EXPLORE if draw(salt, "explore", notification_id) < EXPLORED else Arm.MODEL


def is_held_out(user_id: str, *, salt: str = "send-time") -> bool:
    """Whether a person belongs to the permanent comparison group."""
    return draw(salt, "holdout", user_id) < HELD_OUT


def jitter(notification_id: str) -> timedelta:
    """A minute and second inside the hour, so that sends of one hour don't leave in one second."""
    return timedelta(seconds=int(draw("jitter", notification_id) * 3600))


def choose(
    scores: Sequence[float] | Floats | Curves,
    *,
    user_id: str,
    notification_id: str,
    now: datetime,
    deadline: datetime,
    time_zone: str | None,
    allowed: Callable[[datetime], bool] = lambda _: True,
    boost: Sequence[float] | Floats | None = None,
    critical: bool = False,
    not_before: datetime | None = None,
) -> Choice:
    """When to send one notification, by W_u (`scores`, 24) × segment `boost` (24) × 0.97^(hours waited).

    `allowed` judges a local time (quiet hours); hours are real ones, so that a night of changing clocks is right.
    `not_before` is the time chosen for the notification before it in its thread: order is kept. Critical goes at once.
    UserWithoutZone when the zone is unknown, InvalidRequest when the deadline has passed.
    """
    if critical:
        return Choice(now, Reason.CRITICAL, Arm.MODEL, 1.0)
    if deadline <= now:
        raise InvalidRequest("deadline", f"{deadline.isoformat()} has passed: nothing can be sent in time")
    earliest = max(now, not_before or now)
    starts = _starts(earliest, deadline, _zone(time_zone))
    usable = [(start, local) for start, local in starts if allowed(local)]
    arm = arm_of(user_id, notification_id)
    if not usable:
        return Choice(None, Reason.NO_ALLOWED_HOUR, arm, 1.0)
    waits = np.array([max(0, round((start - now) / timedelta(hours=1))) for start, _ in usable])
    local_hours = np.array([local.hour for _, local in usable])
    factor = np.ones(HOURS) if boost is None else np.asarray(boost, dtype=float)
    values = (np.asarray(scores, dtype=float) * factor)[local_hours] * WAITING**waits
    first, reason = _best(values, now_allowed=usable[0][0] == earliest)
    if arm is Arm.HOLDOUT:
        picked, reason, propensity = 0, Reason.HELD_OUT, 1.0
    elif arm is Arm.EXPLORE:
        picked = int(draw("hour", notification_id) * len(usable))
        reason, propensity = Reason.EXPLORATION, _propensity(picked, first, len(usable))
    else:
        picked, propensity = first, _propensity(first, first, len(usable))
    start = usable[picked][0]
    until = start if start == earliest else min(start + jitter(notification_id), deadline)
    return Choice(
        until,
        reason,
        arm,
        propensity,
        int(waits[picked]),
        float(values[0]),
        float(values[picked]),
        picked == 0,
    )


def _best(values: Floats, *, now_allowed: bool) -> tuple[int, Reason]:
    best = int(values.argmax())
    if best == 0:
        return 0, Reason.NOW_IS_BEST if now_allowed else Reason.BETTER_HOUR
    if now_allowed and values[best] < values[0] * (1 + LEAST_GAIN):
        return 0, Reason.GAIN_TOO_SMALL
    return best, Reason.BETTER_HOUR


def _propensity(picked: int, best: int, options: int) -> float:
    """Among people outside the holdout: the model's share on its choice and the exploration's share over all."""
    return EXPLORED / options + (1 - EXPLORED if picked == best else 0.0)


def _starts(earliest: datetime, deadline: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """(UTC instant, local time) of `earliest` and of every local full hour after it, before the deadline."""
    local = earliest.astimezone(zone)
    into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    starts = [earliest.astimezone(UTC)]
    until = min(deadline, earliest + timedelta(hours=LONGEST_WAIT))
    following = starts[0] - into + timedelta(hours=1)
    while following < until:
        starts.append(following)
        following += timedelta(hours=1)
    return [(start, start.astimezone(zone)) for start in starts]


def _zone(name: str | None) -> ZoneInfo:
    if not name:
        raise UserWithoutZone("time_zone", "unknown for this person: store an IANA zone or name a default")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise UserWithoutZone("time_zone", f"{name!r} is no IANA zone, e.g. America/New_York") from unknown


def choose_waits(
    scores: Curves, *, local_hour: NDArray[np.integer], longest: NDArray[np.integer], allowed: Bools
) -> tuple[NDArray[np.int16], Floats]:
    """(hours to wait, gain over now) for many people at once; −1 and NaN where no hour is allowed.

    `scores` n × 24; `local_hour` now, n; `longest` wait in whole hours, n; `allowed` by local hour, 24 or n × 24.
    Local hours are counted on: a night of changing clocks is an hour off here, `choose` is exact.
    """
    people = len(scores)
    permitted = np.broadcast_to(allowed, (people, HOURS))
    rows = np.arange(people)
    best, at = np.full(people, -np.inf), np.full(people, -1, dtype=np.int16)
    now_value = np.where(permitted[rows, local_hour], scores[rows, local_hour].astype(float), np.nan)
    for wait in range(int(longest.max(initial=-1)) + 1):
        hour = (local_hour + wait) % HOURS
        value = np.where(
            permitted[rows, hour] & (wait <= longest), scores[rows, hour] * WAITING**wait, -np.inf
        )
        better = value > best
        best[better], at[better] = value[better], wait
    with np.errstate(invalid="ignore", divide="ignore"):
        gain = np.where(at >= 0, best / now_value - 1, np.nan)
    stay = (at > 0) & (gain < LEAST_GAIN)
    return np.where(stay, np.int16(0), at), np.where(stay, 0.0, gain)


def best_hours(scores: Curves, wanted: int = 3) -> NDArray[np.int8]:
    """The first hours of each person's best windows, best first (n × wanted), for the send path's cache."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :wanted].astype(np.int8)
