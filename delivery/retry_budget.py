"""How much of the traffic to a provider may be retries: a provider that stumbles must not be run over by repetition.

In any minute the retries to a provider, by all workers, stay below `SHARE` of its first tries plus `FLOOR`. Who finds
no room waits a little and loses no try. Without Redis everybody has room: the retries of each message are bounded too.
"""

import random
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

from core.redis import REDIS_AWAY, script
from delivery.planning import Plan, Planned
from delivery.policies.base import Verdict
from delivery.tallies import Tally

_SCRIPT = Path(__file__).with_name("retry_budget.lua")
_PREFIX = "mingus:retries:"
SHARE = 0.2
FLOOR = 60
PAUSE = timedelta(seconds=20)


def apply(plan: Plan, now: datetime) -> None:
    """Let those retries of the plan wait for which their provider's budget has no room."""
    retries: dict[str, list[Planned]] = {}
    firsts: Counter[str] = Counter()
    for each in plan.send:
        if each.work.claimed.tries:
            retries.setdefault(each.route.provider, []).append(each)
        else:
            firsts[each.route.provider] += 1
    room = _room(firsts, {name: len(wanted) for name, wanted in retries.items()})
    late = [each for name, wanted in retries.items() for each in wanted[room.get(name, len(wanted)) :]]
    if not late:
        return
    ids = {each.work.id for each in late}
    plan.send[:] = [each for each in plan.send if each.work.id not in ids]
    plan.wait += [
        (each.work, Verdict.defer(now + PAUSE * random.uniform(0.5, 1.5), "retry_budget")) for each in late
    ]


def _room(firsts: Counter[str], wanted: dict[str, int]) -> dict[str, int]:
    """Provider → how many of the wanted retries may go now; the first tries are counted too."""
    told = _firsts.add(firsts, now_at_once=bool(wanted))
    names = sorted({*told, *wanted})
    if not names:
        return {}
    arguments = [
        SHARE,
        FLOOR,
        *(number for name in names for number in (told.get(name, 0), wanted.get(name, 0))),
    ]
    try:
        granted = script(_SCRIPT)(keys=[_PREFIX + name for name in names], args=arguments)
    except REDIS_AWAY:
        return {}
    return dict(zip(names, (int(each) for each in granted), strict=True))


_firsts = Tally()


def forget() -> None:
    """Forget what this process has not told yet (tests, and after a fork)."""
    _firsts.clear()
