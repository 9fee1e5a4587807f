"""campaign (ad hoc): one message for an audience, paced and watched; it stops by itself when it is badly received.

audience ─holdout▶ payload at each person's hour ─pace▶ accepted under `type:campaign-name:user` ─watch▶ pause
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal
from zlib import crc32

from prefect import flow
from prefect.artifacts import create_table_artifact
from pydantic import BaseModel, ConfigDict, Field

from analytics.local_days import moment
from core.clock import utc_now
from delivery.catalog import message_type
from flows import campaign_store
from flows.audience import Audience, Recipient, people_of
from flows.batch_results import finished
from flows.batches import CHUNK, Batch, Draft, LeftOut, run

JUDGE_EVERY_SECONDS = 20
Name = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{1,60}$", description="its own, e.g. spring-savings")]
Percent = Annotated[float, Field(ge=0, le=100)]


class Pace(BaseModel):
    """When people get it, and how fast they are taken in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hour: int | Literal["best", "now"] = Field(
        default="best", description="hour of their day, their best hour, or at once"
    )
    default_hour: int = Field(default=10, ge=0, le=23, description="where no best hour is known")
    per_minute: int | None = Field(
        default=None, ge=1, description="people per minute; the type's limit holds anyway"
    )


class Guard(BaseModel):
    """Shares in percent above which it pauses by itself, once they are sure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bounced: Percent = 5
    complained: Percent = 0.3
    failed: Percent = 10


@flow(name="campaign")
def campaign(
    name: Name = "example",
    action: Literal["run", "pause", "cancel"] = "run",
    *,
    type_name: str = "educational_content",
    payload: dict[str, Any] | None = None,
    audience: Audience = Audience(limit=100),  # noqa: B008  frozen
    holdout_percent: Percent = 0,
    pace: Pace = Pace(),  # noqa: B008  frozen
    guard: Guard = Guard(),  # noqa: B008  frozen
    dry_run: bool = True,
) -> Any:
    """Runs (or goes on with), pauses or cancels a campaign. It is a dry run unless you say otherwise.

    `payload` is the message type's, with templates if you like; its example when empty. People in the holdout get
    nothing and are the comparison. Pausing and cancelling end a run that is under way at its next chunk.
    """
    if action != "run":
        campaign_store.set_state(name, {"pause": "paused", "cancel": "cancelled"}[action], "by hand")
        return {"campaign": name, "action": action}
    now, kind = utc_now(), message_type(type_name)
    people = people_of(audience)
    batch = Batch(
        message_type=kind.name,
        period=f"campaign-{name}",
        prepare=partial(
            drafts, name=name, payload=payload or dict(kind.example), holdout=holdout_percent, pace=pace, now=now,
            channel=str(next(each for each in kind.channels if kind.allows(each))),
        ),
        now=now,
        dry_run=dry_run,
        campaign=name,
        may_go_on=None if dry_run else watcher(name, kind.name, guard, pace),
    )  # fmt: skip
    if not dry_run:
        plan = {
            "audience": audience.model_dump(mode="json", exclude_none=True),
            "holdout_percent": holdout_percent,
        }
        campaign_store.begin(name, kind.name, plan | {"pace": pace.model_dump(), "guard": guard.model_dump()})
    tally = run(batch, people, chunk=min(CHUNK, pace.per_minute or CHUNK))
    if not dry_run:
        if not tally.stopped:
            campaign_store.set_state(name, "done")
        show(name, kind.name)
    return finished(batch, tally)


def drafts(
    people: Sequence[Recipient],
    *,
    name: str,
    payload: dict[str, Any],
    holdout: float,
    pace: Pace,
    now: datetime,
    channel: str,
) -> Iterator[Draft | LeftOut]:
    """The payload for each outside the holdout, at their hour."""
    hours = (
        campaign_store.best_hours([each.user_id for each in people], channel) if pace.hour == "best" else {}
    )
    for person in people:
        if crc32(f"{name}:{person.user_id}".encode()) % 10_000 < holdout * 100:
            yield LeftOut(person.user_id, "holdout", expected=True)
            continue
        at = None
        if pace.hour != "now":
            hour = hours.get(person.user_id, pace.default_hour) if pace.hour == "best" else pace.hour
            at = moment(now, person.time_zone, hour, latest=min(23, hour + 1)).deliver_after
        yield Draft(user_id=person.user_id, payload=payload, deliver_after=at)


def watcher(name: str, type_name: str, guard: Guard, pace: Pace) -> Callable[[], str]:
    """Asked before each chunk: keeps the pace, obeys a pause or cancel, and pauses when the guard says so."""
    from analytics.campaign_watch import reason_to_pause

    chunks, judged = 0, float("-inf")

    def may_go_on() -> str:
        nonlocal chunks, judged
        if chunks and pace.per_minute is not None:
            time.sleep(60 * min(CHUNK, pace.per_minute) / pace.per_minute)
        chunks += 1
        state, because = campaign_store.state_of(name)
        if state != "running":
            return f"{state}: {because}"
        if time.monotonic() - judged < JUDGE_EVERY_SECONDS:
            return ""
        judged = time.monotonic()
        reason = reason_to_pause(campaign_store.counts_of(name, type_name), guard.model_dump())
        if reason:
            campaign_store.set_state(name, "paused", reason)
        return reason

    return may_go_on


def show(name: str, type_name: str) -> None:
    """The live counts as a table."""
    from dataclasses import asdict

    counts = asdict(campaign_store.counts_of(name, type_name))
    create_table_artifact(
        key=f"campaign-{name}",
        table=[{"what": what, "count": count} for what, count in counts.items()],
        description=f"Campaign {name} so far",
    )
