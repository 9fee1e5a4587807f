"""Preferences: what a person switched off, paused, set a threshold for, or wants at certain hours.

Critical messages pass all of this except what is about them by name: a channel switched off, and a threshold.
"""

from collections.abc import Sequence
from datetime import datetime

from core.vocabulary import Urgency
from delivery.policies.base import ALLOW, Candidate, Facts, PreferenceFacts, UserFacts, Verdict
from delivery.policies.digest import wants_digest
from delivery.policies.places import place_of
from delivery.policies.quiet_hours import layers_for
from delivery.policies.reasons import Reason
from delivery.policies.windows import WallHours, between, next_opening, spread

NO_WISHES = PreferenceFacts()


def check(candidates: Sequence[Candidate], facts: Facts, now: datetime) -> list[Verdict]:
    """Skip what the user does not want, defer what they want later."""
    if not facts.preferences and all(user.paused_until is None for user in facts.users.values()):
        return [ALLOW] * len(candidates)
    return [
        _check(
            one,
            facts.users[one.user_id],
            facts.preferences.get((one.user_id, one.type.category, one.channel), NO_WISHES),
            now,
        )
        for one in candidates
    ]


def _check(candidate: Candidate, user: UserFacts, wish: PreferenceFacts, now: datetime) -> Verdict:
    if not wish.enabled:
        return Verdict.skip(Reason.CHANNEL_DISABLED, category=candidate.type.category.value)
    if (
        wish.minimum_amount is not None
        and candidate.amount is not None
        and candidate.amount < wish.minimum_amount
    ):
        return Verdict.skip(Reason.BELOW_MINIMUM_AMOUNT, minimum=str(wish.minimum_amount))
    if candidate.type.urgency is Urgency.CRITICAL:
        return ALLOW
    pause_end = max((end for end in (wish.paused_until, user.paused_until) if end is not None), default=now)
    if pause_end >= candidate.expires_at:
        return Verdict.skip(Reason.PAUSED_PAST_EXPIRY, paused_until=pause_end.isoformat())
    if pause_end > now:
        return Verdict.defer(pause_end, Reason.PAUSED, paused_until=pause_end.isoformat())
    if not candidate.type.deferrable or wants_digest(candidate, wish):
        return ALLOW  # a digest is gathered where the preferred hours begin
    return _preferred_hours(candidate, user, wish, now)


def _preferred_hours(candidate: Candidate, user: UserFacts, wish: PreferenceFacts, now: datetime) -> Verdict:
    """Wait for the preferred hours as far as law and expiry leave any; a wish that can't be met holds nothing up."""
    if wish.preferred_from is None or wish.preferred_until is None:
        return ALLOW
    preferred = WallHours(place_of(candidate, user).zones, between(wish.preferred_from, wish.preferred_until))
    opening = next_opening((preferred, *layers_for(candidate, user)), now)
    if opening is None or opening[0] >= candidate.expires_at.timestamp():
        return Verdict.allow(preferred_hours="unreachable")
    if opening[0] <= now.timestamp():
        return ALLOW
    return Verdict.defer(
        spread(opening, candidate.jitter, candidate.expires_at), Reason.OUTSIDE_PREFERRED_HOURS
    )
