"""Quiet hours: texts only in the hours that law and recipient permit, by the recipient's clock at the time of sending.

The law (TCPA and stricter states, see `quiet_hours.csv`) binds texts of types with `window`; a person's own quiet
hours bind everything. Critical messages are exempt by class.
"""

from collections.abc import Sequence
from datetime import datetime

from core.vocabulary import Channel, Urgency
from delivery.policies.base import ALLOW, Candidate, Facts, UserFacts, Verdict
from delivery.policies.places import Place, place_of
from delivery.policies.reasons import Reason
from delivery.policies.windows import Interval, LawHours, Layer, WallHours, next_opening, outside, spread


def check(candidates: Sequence[Candidate], facts: Facts, now: datetime) -> list[Verdict]:
    """Defer what comes in quiet hours to the next permitted instant, spread by jitter; skip what expires first."""
    verdicts = []
    openings: dict[tuple[Layer, ...], Interval | None] = {}
    for one in candidates:
        user = facts.users[one.user_id]
        layers = layers_for(one, user)
        if not layers:
            verdicts.append(ALLOW)
            continue
        if layers not in openings:
            openings[layers] = next_opening(layers, now)
        verdicts.append(_verdict(one, place_of(one, user), openings[layers], now))
    return verdicts


def layers_for(candidate: Candidate, user: UserFacts) -> tuple[Layer, ...]:
    """The hours that bind this candidate; empty when none do."""
    if candidate.type.urgency is Urgency.CRITICAL:
        return ()
    layers: tuple[Layer, ...] = ()
    if candidate.channel is Channel.SMS and candidate.type.window:
        layers += (LawHours(place_of(candidate, user).clauses),)
    if user.quiet_from is not None and user.quiet_until is not None:
        layers += (WallHours(place_of(candidate, user).zones, outside(user.quiet_from, user.quiet_until)),)
    return layers


def _verdict(candidate: Candidate, place: Place, opening: Interval | None, now: datetime) -> Verdict:
    evidence = {"zone_basis": place.basis, "zones": list(place.zones), "laws": list(place.laws)}
    if opening is None:
        return Verdict.skip(Reason.NO_PERMITTED_HOURS, **evidence)
    if opening[0] <= now.timestamp():
        return Verdict.allow(**evidence)
    if opening[0] >= candidate.expires_at.timestamp():
        return Verdict.skip(Reason.EXPIRED_BEFORE_WINDOW, **evidence)
    return Verdict.defer(
        spread(opening, candidate.jitter, candidate.expires_at), Reason.QUIET_HOURS, **evidence
    )
