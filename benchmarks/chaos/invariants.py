"""What must hold when the dust has settled: I1 to I10 of docs/architecture.md, from the rows and from the provider's ledger."""

import math
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
import psutil

from benchmarks.chaos.people import alerts_come_first, sent_after_leaving
from benchmarks.chaos.scenarios import Scenario
from benchmarks.chaos.world import WORKERS, World
from core.database import transaction
from core.redis import client
from core.settings import settings
from core.statements import rows
from core.vocabulary import Lane, State
from delivery import audit, counters, lifecycle

CANARIES = (b"canary", b"Canaryname", b"+15122")
HANDED_OVER = frozenset({"sent", "delivered", "bounced", "complained"})
ENDED = frozenset({"failed", "skipped", "dead"})
LEFT = frozenset({"consent_withdrawn"})
"""Why what was accepted for people who leave (`benchmarks.chaos.people`) is rightly not sent."""
MOST_FILES = 400


@dataclass(slots=True)
class Found:
    """The counts of a scenario and every broken invariant in words."""

    messages: int = 0
    lost: int = 0
    duplicated: int = 0
    marked: int = 0
    given_up: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def await_calm(world: World, campaign: str, *, seconds: float) -> bool:
    """Until nothing of the campaign waits, is claimed or in doubt, and every callback is applied.

    False when for so many seconds nothing has come nearer to its end: a crowded machine is slow, not stuck.
    """
    least = _moving(world, campaign)
    until = time.monotonic() + seconds
    while any(moving := _moving(world, campaign)):
        if sum(moving) < sum(least):
            least, until = moving, time.monotonic() + seconds
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


def _moving(world: World, campaign: str) -> tuple[int, int]:
    ((messages,),) = world.sql(
        "SELECT count(*) FROM notifications WHERE state IN ('accepted', 'claimed', 'unknown')"
        f" AND campaign = '{campaign}'"
    )
    ((callbacks,),) = world.sql(
        "SELECT count(*) FROM callbacks WHERE processed_at IS NULL AND due_at <= now()"
    )
    return messages, callbacks


def check(world: World, scenario: Scenario, campaign: str, accepted: Collection[UUID]) -> Found:
    """All invariants, as far as the scenario leaves them whole."""
    found = Found(messages=len(accepted))
    states = {
        row[0]: row[1:]
        for row in world.sql(
            f"SELECT id, state, reason, possible_duplicate FROM notifications WHERE campaign = '{campaign}'"
        )
    }
    taken, strangers = _at_provider(world)
    if strangers:
        found.broken.append(f"I3 {strangers} sent whose intent was never committed")
    _fate(found, states, taken, accepted, dict.fromkeys(LEFT, math.inf) | scenario.may_end)
    found.broken += sent_after_leaving(world, taken) + alerts_come_first(
        world, campaign, within=scenario.alerts_within
    )
    _legal_moves(found, world)
    _audit_chain(found)
    _counters(found, world)
    _no_canaries(found, world)
    _nothing_held(found, world)
    return found


def _fate(
    found: Found,
    states: Mapping[UUID, tuple[Any, ...]],
    at_provider: Mapping[UUID, Sequence[datetime]],
    accepted: Collection[UUID],
    may_end: Mapping[str, float],
) -> None:
    for each in accepted:
        state, reason, marked = states.get(each, ("missing", "", False))
        taken = len(at_provider.get(each, ()))
        if state in ENDED and not taken:
            found.given_up[reason or state] = found.given_up.get(reason or state, 0) + 1
            if found.given_up[reason or state] > may_end.get(reason, 0):
                found.lost += 1
        elif not taken:
            found.lost += 1
        if taken > 1:
            found.marked += marked
            found.duplicated += not marked
        if state not in HANDED_OVER | ENDED:
            found.broken.append(f"I1 {each} is still {state}")
    if len(found.broken) > 5:
        found.broken[5:] = [f"… and {len(found.broken) - 5} more"]
    if found.lost:
        found.broken.append(f"I2 {found.lost} lost")
    if found.duplicated:
        found.broken.append(f"I3 {found.duplicated} sent twice without a mark")
    strangers = set(states) - set(accepted)
    if strangers:
        found.broken.append(f"I2 {len(strangers)} rows that no caller was told of")


def _at_provider(world: World) -> tuple[dict[UUID, list[datetime]], int]:
    """Notification → when a provider has taken it, by the provider's own ledger on disk; and how many nobody knows of."""
    with transaction() as connection:
        attempts = {
            str(row[0]): row[1] for row in rows(connection, "SELECT id, notification_id FROM attempts")
        }
    taken: dict[UUID, list[datetime]] = defaultdict(list)
    strangers = 0
    with (world.var / "sandbox" / "ledger.jsonl").open("rb") as lines:
        for line in lines:
            message = orjson.loads(line)
            if message["outcome"] != "accepted":
                continue
            if notification := attempts.get(_attempt_of(message)):
                taken[notification].append(datetime.fromisoformat(message["at"]))
            else:
                strangers += 1
    return taken, strangers


def _attempt_of(message: Mapping[str, Any]) -> str:
    tags = message.get("tags") or {}
    if isinstance(tags, list):
        tags = {tag["name"]: tag["value"] for tag in tags}
    return str(tags.get("attempt_id") or str(message.get("status_callback") or "").rpartition("/")[2])


def _legal_moves(found: Found, world: World) -> None:
    for was, became, count in world.sql("SELECT was, became, count(*) FROM chaos_moves GROUP BY 1, 2"):
        if not lifecycle.may_move(State(was), State(became)):
            found.broken.append(f"I7 {count} × {was} → {became}")


def _audit_chain(found: Found) -> None:
    with transaction() as connection:
        if (at := audit.verify(connection).broken_at) is not None:
            found.broken.append(f"I8 the audit chain breaks at {at}")


def _counters(found: Found, world: World) -> None:
    """Redis may have been emptied and workers killed between a commit and its count: equal after `rebuild`, or not at all."""
    days = [row[0] for row in world.sql("SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM delivery_events")]
    with transaction() as connection:
        for day in days:
            counters.rebuild(connection, day)
    wrong = [
        day
        for day in days
        if (counted := counters.totals(day)) is None
        or {name: count for name, count in counted.events.items() if count} != _sums(world, day)
    ]
    if wrong:
        found.broken.append(f"I5 the counters of {len(wrong)} days differ from their sums in SQL")


def _sums(world: World, day: date) -> dict[str, int]:
    found = world.sql(
        "SELECT message_type || ':' || channel || ':' || kind, count(*) FROM delivery_events"
        f" WHERE (at AT TIME ZONE 'UTC')::date = '{day}' AND {counters.COUNTED} GROUP BY 1"
    )
    return dict(found)


def _no_canaries(found: Found, world: World) -> None:
    for name in (*WORKERS, "beat", "web"):
        for log in (world.stack.log(name), world.stack.log(name).with_suffix(".log.1")):
            text = log.read_bytes() if log.exists() else b""
            found.broken += [f"I9 {name}.log holds {each!r}" for each in CANARIES if each in text]
    broker = client(settings().broker_url)
    broker.config_set("rdbcompression", "no")  # else DUMP would hide what it holds
    for key in broker.scan_iter(count=1000):
        held = broker.dump(key) or b""
        found.broken += [f"I9 Redis key {key!r} holds {each!r}" for each in CANARIES if each in held]


def _nothing_held(found: Found, world: World) -> None:
    """Queues, unacknowledged sets, leases, working connections and files are back to what idleness needs."""
    until = time.monotonic() + 20
    while (held := _held(world)) and time.monotonic() < until:
        time.sleep(0.5)
    found.broken += [f"I10 {what}" for what in held]


def _held(world: World) -> list[str]:
    broker = client(settings().broker_url)
    held = [f"{lane} holds {length}" for lane in Lane if (length := int(broker.llen(lane)))]
    left = int(broker.hlen("unacked"))  # nothing is kept there (docs/decisions/0003-early-acks.md)
    held += [f"{left} unacknowledged messages"] * bool(left)
    ((leases,),) = world.sql("SELECT count(*) FROM notifications WHERE state = 'claimed'")
    ((busy,),) = world.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mingus' AND state LIKE 'idle in transaction%'"
        " AND pid <> pg_backend_pid() AND state_change < now() - interval '5 seconds'"
    )
    held += [f"{leases} leases"] * bool(leases) + [f"{busy} open transactions"] * bool(busy)
    for name in WORKERS:
        files = psutil.Process(world.stack.pid(name)).num_fds()
        held += [f"{name} holds {files} files"] * (files > MOST_FILES)
    return held
