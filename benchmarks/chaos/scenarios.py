"""The scenarios: each feeds messages, hurts the world meanwhile, and says what it did."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.chaos import callbacks, processes, providers, stores
from benchmarks.chaos.load import Load
from benchmarks.chaos.world import World

Run = Callable[[World, str, float], tuple[Load, str]]
"""(world, campaign, scale) → (what was accepted, what was injected); the hurting is over when it returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row of the table. `may_end`: for which reason how many messages may rightly not be sent.

    `calm_seconds` is how long nothing may move, after the hurting, before the world counts as stuck. `alerts_within` seconds must
    95 of 100 alerts be sent where nothing hurts their own way (I6).
    """

    name: str
    run: Run
    calm_seconds: float = 120.0
    crash_at: str = ""
    may_end: Mapping[str, int] = field(default_factory=dict)
    alerts_within: float = math.inf
    short: bool = False


SCENARIOS: Sequence[Scenario] = (
    Scenario(name="kill -9 of worker groups", run=processes.kills, calm_seconds=180, short=True),
    Scenario(name="SIGSTOP past the lease, SIGCONT", run=processes.stalls),
    Scenario(name="rolling restart under load", run=processes.rolling_restart, short=True),
    Scenario(name="the providers take 5 % and hang", run=providers.hangs),
    Scenario(name="both providers 100 % down and back", run=providers.outage),
    Scenario(name="429 storm", run=providers.storm),
    Scenario(name="5 % of answers lost in every way", run=providers.lost_answers, short=True),
    Scenario(name="one slow provider", run=providers.slow, alerts_within=10),
    Scenario(name="alerts in a flood of mail", run=providers.flood, alerts_within=10),
    Scenario(name="callbacks forged, repeated, reordered", run=callbacks.lies, alerts_within=10),
    Scenario(name="Redis killed and restarted empty", run=stores.redis_emptied, short=True),
    Scenario(name="Redis clients killed, paused, scripts flushed", run=stores.redis_bothered),
    Scenario(name="Redis memory full", run=stores.redis_full),
    Scenario(name="PostgreSQL stopped, backends terminated", run=stores.postgres_stopped),
    Scenario(name="PostgreSQL killed -9", run=stores.postgres_killed),
    Scenario(name="disk full", run=stores.disk_full),
    Scenario(
        name="crash after the provider accepted, before the commit",
        run=processes.crashing,
        crash_at="after_call:0.1",
        calm_seconds=180,
    ),
    Scenario(
        name="crash at every commit boundary",
        run=processes.crashing,
        crash_at="before_commit:0.01,after_commit:0.01,before_publish:0.05,after_publish:0.05,before_call:0.05",
        calm_seconds=180,
    ),
    Scenario(
        name="poison message",
        run=processes.poison,
        crash_at="work_on=career_insights:1",
        calm_seconds=240,
        may_end={"kills_its_worker": 2},
    ),
)
