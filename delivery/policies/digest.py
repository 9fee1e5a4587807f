"""Digest: who wishes several messages in one gets them once a day, together.

A message that may wait is held until the person's hour of gathering. What is due then of one category and channel goes
into one new message (`delivery.digests`), and its parts are skipped as `in_digest`; one that is alone goes by itself.
The hour is where the person's preferred hours begin, else `HOUR`, plus up to half an hour that is each person's own.
"""

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta

from core.vocabulary import Category, Channel
from delivery.catalog import MessageType
from delivery.policies.base import ALLOW, Candidate, Facts, PreferenceFacts, UserFacts, Verdict
from delivery.policies.places import place_of
from delivery.policies.reasons import Reason
from delivery.policies.windows import WallHours, between, next_opening

GATHERED = frozenset({Category.WELLNESS, Category.CAREER, Category.EDUCATION, Category.ONBOARDING})
"""Categories of which several may stand in one message: alerts and bills don't wait, a report is a digest already."""
HOUR = time(17)
OPEN_FOR = timedelta(hours=1)
"""For so long after the hour what is due is gathered; what comes later waits for the next day's."""
SPREAD = timedelta(minutes=30)
MOST: Mapping[Channel, int] = {Channel.SMS: 5, Channel.EMAIL: 25}
"""How many fit into one message; what is over goes into a second one."""


def check(candidates: Sequence[Candidate], facts: Facts, now: datetime) -> list[Verdict]:
    """Defer what waits to be gathered, skip what goes into a digest; the evidence names the digest's key."""
    verdicts = [ALLOW] * len(candidates)
    if not any(wish.digest for wish in facts.preferences.values()):
        return verdicts
    together: dict[tuple[str, Category, Channel], list[int]] = defaultdict(list)
    for place, one in enumerate(candidates):
        wish = facts.preferences.get((one.user_id, one.type.category, one.channel))
        if wish is None or not wants_digest(one, wish):
            continue
        until = _gathering(one, facts.users[one.user_id], wish, now)
        if until is None or until >= one.expires_at:
            continue  # it would be worthless by then
        if until > now:
            verdicts[place] = Verdict.defer(until, Reason.DIGEST)
        else:
            together[one.user_id, one.type.category, one.channel].append(place)
    for (_, _, channel), places in together.items():
        for start in range(0, len(places), MOST[channel]):
            members = places[start : start + MOST[channel]]
            if len(members) > 1:
                key = f"digest:{candidates[members[0]].notification_id}"
                for place in members:
                    verdicts[place] = Verdict.skip(Reason.IN_DIGEST, digest=key)
    return verdicts


def wants_digest(candidate: Candidate, wish: PreferenceFacts) -> bool:
    """Whether this message is to be gathered with others."""
    return wish.digest and gathers(candidate.type) and not candidate.is_digest


def gathers(row: MessageType) -> bool:
    """Whether messages of this type may stand in a digest."""
    return row.deferrable and row.category in GATHERED


def _gathering(
    candidate: Candidate, user: UserFacts, wish: PreferenceFacts, now: datetime
) -> datetime | None:
    """When the person's next gathering begins, or began where it is open."""
    own = SPREAD * (zlib.crc32(user.user_id.encode()) / 2**32)
    begins = datetime.combine(datetime(2000, 1, 2, tzinfo=UTC), wish.preferred_from or HOUR) + own
    hours = between(begins.time().replace(microsecond=0), (begins + OPEN_FOR).time().replace(microsecond=0))
    zones = place_of(candidate, user).zones[
        :1
    ]  # an hour that suits, not a law: one of the possible clocks will do
    opening = next_opening([WallHours(zones, hours)], now)
    return None if opening is None else datetime.fromtimestamp(opening[0], UTC)
