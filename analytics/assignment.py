"""Who is in which arm: a hash of experiment, salt and person, so that nobody keeps a list and nobody changes sides.

The unit is the person. Log an exposure where the arms could differ, not where the person was assigned. Changing the
split of a running experiment moves people between arms: take a new salt.
"""

import math
from collections.abc import Mapping
from hashlib import blake2b

from core.errors import InvalidRequest

GLOBAL_HOLDOUT = "global-holdout"


def unit_interval(experiment: str, salt: str, user_id: str) -> float:
    """blake2b(experiment:salt:user) / 2^64: uniform on [0, 1), the same for ever."""
    digest = blake2b(f"{experiment}:{salt}:{user_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def arm_of(
    experiment: str,
    user_id: str,
    split: Mapping[str, float],
    *,
    salt: str,
    holdout: float = 0.0,
    holdout_salt: str = "1",
) -> str | None:
    """The person's arm by the shares of `split`, None for the holdout, which is drawn first and by its own key.

    The holdout's key names no experiment: the same people stay out of all of them. InvalidRequest unless the shares
    are positive and sum to 1.
    """
    if not split or min(split.values()) <= 0 or not math.isclose(sum(split.values()), 1.0):
        raise InvalidRequest("split", f"shares must be positive and sum to 1, not {dict(split)}")
    if unit_interval(GLOBAL_HOLDOUT, holdout_salt, user_id) < holdout:
        return None
    drawn, reached = unit_interval(experiment, salt, user_id), 0.0
    for arm, share in split.items():
        reached += share
        if drawn < reached:
            return arm
    return arm  # rounding left the last share a hair short of 1
