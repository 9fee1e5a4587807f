"""What all batches share: an audience goes chunk by chunk through "who gets what", and what comes out is accepted.

people ─already accepted? ▶ prepare (the batch's own) ─▶ Draft | Left out ─▶ accept_many ─▶ counts, artifacts

A batch never sends: accepted rows are the relay's. Postgres is its memory: a run that was killed is started again, and
whoever has a notification under `type:period:user` is passed over.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from multiprocessing import get_context
from typing import cast
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE

from core.database import transaction
from core.statements import rows
from core.vocabulary import Channel
from delivery import Refused, Request, accept_many
from delivery.catalog import message_type
from delivery.keys import period_key
from flows.audience import Recipient
from flows.batch_isolation import decided
from flows.batch_values import Draft, LeftOut, Prepare
from flows.dry_runs import DryRun
from flows.send_times import at_better_hours

CHUNK = 200
MOST_SHOWN = 200
ALREADY = "already accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch: a message type, the period that it speaks about, and how a chunk of people is prepared.

    `once` False means that people may get several messages of the type in the period (each draft has its own period).
    `may_go_on` is asked before each chunk: a text ends the run for that reason. With `processes` above 1 a chunk is
    prepared by as many, and `prepare` must be a function of a module (or a partial).
    """

    message_type: str
    period: str
    prepare: Prepare
    now: datetime
    dry_run: bool = False
    once: bool = True
    campaign: str | None = None
    processes: int = 1
    may_go_on: Callable[[], str] | None = None


@dataclass(slots=True)
class Tally:
    """What came of a batch so far; `skipped` are those who should have got something and did not."""

    people: int = 0
    accepted: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    shown: list[LeftOut] = field(default_factory=list)
    cost: Decimal = Decimal(0)
    examples: list[dict[str, str]] = field(default_factory=list)
    stopped: str = ""

    def leave_out(self, each: LeftOut) -> None:
        """Counts one; the first of those that were not expected are kept to be shown."""
        self.left_out[each.reason] += 1
        if not each.expected:
            self.skipped += 1
            if len(self.shown) < MOST_SHOWN:
                self.shown.append(each)


def run(batch: Batch, people: Sequence[Recipient], *, chunk: int = CHUNK) -> Tally:
    """Takes all people through the batch, telling its progress; NotAccepted after three tries without a database."""
    log = get_run_logger()
    tally = Tally(people=len(people))
    key = f"{batch.message_type.replace('_', '-')}-progress"
    progress = cast(
        "UUID",
        create_progress_artifact(0.0, key=key, description=f"{batch.message_type} {batch.period}"),
    )
    lifetime = _lifetime(batch.message_type, len(people))
    done = 0
    for start in _order(len(people), chunk, in_turn=batch.dry_run or batch.may_go_on is not None):
        tally.stopped = batch.may_go_on() if batch.may_go_on else ""
        if tally.stopped:
            log.warning("batch.stopped type=%s period=%s at=%d", batch.message_type, batch.period, done)
            break
        _take(batch, people[start : start + chunk], tally, lifetime)
        done += len(people[start : start + chunk])
        log.info(
            "batch.chunk type=%s period=%s done=%d of=%d accepted=%d skipped=%d",
            batch.message_type, batch.period, done, len(people), tally.accepted, tally.skipped,
        )  # fmt: skip
        update_progress_artifact(progress, round(100 * done / len(people), 1))
    if not people:
        update_progress_artifact(progress, 100.0)
    return tally


def _order(people: int, chunk: int, *, in_turn: bool) -> list[int]:
    """Where the chunks begin: by chance, so that two runs at the same time share the work and don't do it twice."""
    starts = list(range(0, people, chunk))
    if not in_turn:
        random.shuffle(starts)
    return starts


def _take(batch: Batch, people: Sequence[Recipient], tally: Tally, lifetime: timedelta) -> None:
    served = _served(batch, people) if batch.once else frozenset()
    drafts: list[Draft] = []
    for user_id in served:
        tally.leave_out(LeftOut(user_id, ALREADY, expected=True))
    reachable = []
    for person in people:
        if person.user_id in served:
            continue
        if any(message_type(batch.message_type).allows(Channel(each)) for each in person.channels):
            reachable.append(person)
        else:
            tally.leave_out(LeftOut(person.user_id, "no address on a channel of this type"))
    for each in prepare_chunk(batch, reachable) if reachable else ():
        if isinstance(each, LeftOut):
            tally.leave_out(each)
        else:
            drafts.append(each)
            if each.note:
                tally.notes[each.note] += 1
    if batch.dry_run:
        _try_out(batch, drafts, {person.user_id: person for person in people}, tally)
    elif drafts:
        accepted, left_out = accept_chunk(batch, drafts, lifetime)
        tally.accepted += accepted
        for left in left_out:
            tally.leave_out(left)


@task(retries=2, retry_delay_seconds=5, cache_policy=NO_CACHE)
def prepare_chunk(batch: Batch, people: Sequence[Recipient]) -> list[Draft | LeftOut]:
    """Decides for a chunk of people; tried again when the database was away."""
    decide = partial(decided, batch.prepare)
    if batch.processes == 1:
        return decide(people)
    parts = [people[start :: batch.processes] for start in range(batch.processes)]
    return [each for part in _pool(batch.processes).map(decide, parts) for each in part]


@lru_cache(maxsize=1)
def _pool(processes: int) -> ProcessPoolExecutor:
    # Spawned, because a fork would share the database's connections and Prefect's threads.
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))


@task(retries=2, retry_delay_seconds=5, cache_policy=NO_CACHE)
def accept_chunk(batch: Batch, drafts: Sequence[Draft], lifetime: timedelta) -> tuple[int, list[LeftOut]]:
    """Accepts a chunk in one transaction; (how many are new, who was refused or served before)."""
    keys = [period_key(batch.message_type, each.period or batch.period, each.user_id) for each in drafts]
    if batch.campaign is None:
        drafts = at_better_hours(batch.message_type, drafts, keys, now=batch.now)
    requests = [
        Request(
            user_id=draft.user_id,
            message_type=batch.message_type,
            payload=draft.payload,
            idempotency_key=key,
            deliver_after=draft.deliver_after,
            expires_at=max(batch.now, draft.deliver_after or batch.now) + lifetime,
            campaign=draft.campaign or batch.campaign,
        )
        for draft, key in zip(drafts, keys, strict=True)
    ]
    accepted, left_out = 0, []
    for result in accept_many(requests, now=batch.now):
        if isinstance(result, Refused):
            reason = why(result.error)
            left_out.append(LeftOut(result.request.user_id, reason, expected=reason == ALREADY))
        elif result.is_new:
            accepted += 1
        else:
            left_out.append(LeftOut("", ALREADY, expected=True))
    return accepted, left_out


def why(error: Exception) -> str:
    """A refusal as a reason: its kind and the field, without the values that may name somebody."""
    from core.errors import IdempotencyConflict

    if isinstance(error, IdempotencyConflict):
        return ALREADY
    return f"{type(error).__name__}: {getattr(error, 'field', 'payload')}"


def _try_out(batch: Batch, drafts: Sequence[Draft], people: dict[str, Recipient], tally: Tally) -> None:
    trial = DryRun(batch.message_type, batch.now)
    for draft in drafts:
        result = trial.of(draft.payload, people[draft.user_id], example=len(tally.examples) < 3)
        if isinstance(result, str):
            tally.leave_out(LeftOut(draft.user_id, result))
            continue
        tally.accepted += 1
        tally.cost += result.cost
        tally.examples += result.examples


def _served(batch: Batch, people: Sequence[Recipient]) -> frozenset[str]:
    keys = {period_key(batch.message_type, batch.period, person.user_id): person.user_id for person in people}
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT idempotency_key FROM notifications WHERE idempotency_key = ANY(%s)",
            (list(keys),),
        )
    return frozenset(keys[key] for (key,) in found)


def _lifetime(name: str, people: int) -> timedelta:
    """The type's lifetime, and the time that its rate limit needs to let so many through."""
    row = message_type(name)
    pace = max(limit for channel, limit in row.limits.items() if row.allows(channel))
    return row.lifetime + timedelta(minutes=-(-people // pace))
