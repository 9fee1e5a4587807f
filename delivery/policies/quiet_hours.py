"""Quiet hours: texts only in the hours that law and recipient permit, by the recipient's clock at the time of sending.

The law (TCPA and stricter states, see `quiet_hours.csv`) binds texts of types with `window`; a person's own quiet
hours bind everything. Critical messages are exempt by class.
"""

from collections.abc import Sequence
from datetime import datetime

from core.vocabulary import Channel, Urgency
from delivery.policies.base import ALLOW, Candidate, Facts, UserFacts, Verdict
from delivery.policies.places import place_of
from delivery.policies.reasons import Reason
from delivery.policies.windows import LawHours, Layer, WallHours, next_opening, outside, spread


def check(candidates: Sequence[Candidate], facts: Facts, now: datetime) -> list[Verdict]:
    """Defer what comes in quiet hours to the next permitted instant, spread by jitter; skip what expires first."""
    return [_check(one, facts.users[one.user_id], now) for one in candidates]


def layers_for(candidate: Candidate, user: UserFacts) -> tuple[Layer, ...]:
    """The hours that bind this candidate; empty when none do."""
    if candidate.type.urgency is Urgency.CRITICAL:
        return ()
    by_law = candidate.channel is Channel.SMS and candidate.type.window
    by_wish = user.quiet_from is not None and user.quiet_until is not None
    if not by_law and not by_wish:
        return ()
    place = place_of(candidate, user)
    layers: list[Layer] = [LawHours(place.clauses)] if by_law else []
    if user.quiet_from is not None and user.quiet_until is not None:
        layers.append(WallHours(place.zones, outside(user.quiet_from, user.quiet_until)))
    return tuple(layers)


def _check(candidate: Candidate, user: UserFacts, now: datetime) -> Verdict:
    layers = layers_for(candidate, user)
    if not layers:
        return ALLOW
    place = place_of(candidate, user)
    evidence = {"zone_basis": place.basis, "zones": list(place.zones), "laws": list(place.laws)}
    opening = next_opening(layers, now)
    if opening is None:
        return Verdict.skip(Reason.NO_PERMITTED_HOURS, **evidence)
    if opening[0] <= now.timestamp():
        return Verdict.allow(**evidence)
    if opening[0] >= candidate.expires_at.timestamp():
        return Verdict.skip(Reason.EXPIRED_BEFORE_WINDOW, **evidence)
    return Verdict.defer(
        spread(opening, candidate.jitter, candidate.expires_at), Reason.QUIET_HOURS, **evidence
    )
