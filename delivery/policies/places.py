"""Where a recipient may be: the zones whose clocks count and the laws that apply, strictest where unknown.

The profile's time zone comes first, then the state of the address, then the number's area code. Where several zones
or states stay possible, an hour must be permitted in all of them.
"""

from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from delivery.policies.base import Candidate, UserFacts
from delivery.policies.hours import rules
from delivery.policies.states import SAME_CLOCK, STATE_ZONES, ZONES_OF_THE_FIFTY

FEDERAL, ELSEWHERE = "US", "*"


class Place(NamedTuple):
    """Every (zone, law) under which an instant must be permitted, and what that knowledge stands on."""

    zones: tuple[str, ...]
    clauses: tuple[tuple[str, str], ...]
    basis: str
    laws: tuple[str, ...]
    """The jurisdictions that apply, each once."""


def place_of(candidate: Candidate, user: UserFacts) -> Place:
    """The recipient's possible whereabouts, best evidence first."""
    return _place(
        user.time_zone, user.state, user.country or candidate.country, candidate.region, candidate.zones
    )


@lru_cache(maxsize=8192)
def _place(
    time_zone: str | None, state: str, country: str, region: str, prefix_zones: tuple[str, ...]
) -> Place:
    state, country, region = state.upper(), country.upper(), region.upper()
    prefix_zones = tuple(zone for zone in prefix_zones if zone_exists(zone))
    here = state or region
    zones, basis = _zones(time_zone, here, prefix_zones, by_address=bool(state))
    if not here and country not in ("", FEDERAL):
        law = country if country in rules() else ELSEWHERE
        return Place(zones, tuple((zone, law) for zone in zones), basis, (law,))
    clauses = [(zone, FEDERAL) for zone in zones]
    clauses += [
        (zone, law) for zone in zones for law in ((here,) if here else _laws_around(zone)) if law in rules()
    ]
    return Place(zones, tuple(clauses), basis, tuple(dict.fromkeys(law for _, law in clauses)))


def _zones(
    time_zone: str | None, state: str, prefix_zones: tuple[str, ...], *, by_address: bool
) -> tuple[tuple[str, ...], str]:
    if time_zone and zone_exists(time_zone):
        return (time_zone,), "profile"
    of_state = STATE_ZONES.get(state, ())
    if by_address and of_state:
        return of_state, "state"
    if prefix_zones:
        return prefix_zones, "area_code"
    if of_state:
        return of_state, "area_code"
    return ZONES_OF_THE_FIFTY, "unknown"


def _laws_around(zone: str) -> tuple[str, ...]:
    """The laws of every state that keeps the clock of `zone`; of all states for a zone that none is known to keep."""
    clock = SAME_CLOCK.get(zone, zone)
    around = tuple(state for state, zones in STATE_ZONES.items() if clock in zones)
    return around or tuple(STATE_ZONES)


@lru_cache(maxsize=1024)
def zone_exists(name: str) -> bool:
    """Whether `name` is an IANA zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
