"""campaign (ad hoc): one message for an audience, paced and watched; it stops by itself when it is badly received.

audience ─holdout▶ payload at each person's hour ─pace▶ accepted under `type:campaign-name:user` ─watch-campaigns▶ pause

Whatever is accepted waits for its time in Postgres, where pausing and cancelling reach it.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal

from prefect import flow
from pydantic import BaseModel, ConfigDict, Field

from analytics.assignment import unit_interval
from analytics.local_days import at_hour, moment
from core.clock import utc_now
from delivery import campaigns
from delivery.catalog import message_type
from flows.audience import Audience, Recipient, people_of
from flows.batch_results import finished
from flows.batch_values import Draft, LeftOut
from flows.batches import Batch, run
from flows.best_hours import best_hours
from flows.campaign_guard import Guard, judged, show

Name = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{1,60}$", description="its own, e.g. spring-savings")]
Percent = Annotated[float, Field(ge=0, le=100)]
ACTIONS = {"pause": campaigns.PAUSED, "resume": campaigns.RUNNING, "cancel": campaigns.CANCELLED}


class Pace(BaseModel):
    """When people get it, and how many a minute."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: date | None = Field(default=None, description="on this day of theirs; the first that fits when empty")
    hour: int | Literal["best", "now"] = Field(
        default="best", description="hour of their day, their best hour, or at once"
    )
    default_hour: int = Field(default=10, ge=0, le=23, description="where no best hour is known")
    per_minute: int | None = Field(
        default=None,
        ge=1,
        description="spread over time, about so many a minute; the type's limit holds anyway",
    )


@flow(name="campaign")
def campaign(
    name: Name = "example",
    action: Literal["run", "pause", "resume", "cancel"] = "run",
    *,
    type_name: str = "educational_content",
    payload: dict[str, Any] | None = None,
    audience: Audience = Audience(limit=100),  # noqa: B008  frozen
    holdout_percent: Percent = 0,
    pace: Pace = Pace(),  # noqa: B008  frozen
    guard: Guard = Guard(),  # noqa: B008  frozen
    dry_run: bool = True,
) -> Any:
    """Runs (or goes on with), pauses, resumes or cancels a campaign. It is a dry run unless you say otherwise.

    `payload` is the message type's, with templates if you like; its example when empty. People in the holdout get
    nothing and are the comparison. Pausing and cancelling end a run that is under way, and hold or withdraw what waits.
    """
    if action != "run":
        moved = campaigns.set_state(name, ACTIONS[action], "by hand")
        show(campaigns.campaign_of(name))
        return {"campaign": name, "action": action, "waiting_messages": moved}
    now, kind = utc_now(), message_type(type_name)
    people = people_of(audience)
    batch = Batch(
        message_type=kind.name,
        period=f"campaign-{name}",
        prepare=partial(
            drafts, name=name, payload=payload or dict(kind.example), holdout=holdout_percent, pace=pace, now=now,
            spread=_spread(pace, len(people)), channel=str(next(each for each in kind.channels if kind.allows(each))),
        ),
        now=now,
        dry_run=dry_run,
        campaign=name,
        may_go_on=None if dry_run else may_go_on(name),
    )  # fmt: skip
    if not dry_run:
        plan = {
            "audience": audience.model_dump(mode="json", exclude_none=True),
            "holdout_percent": holdout_percent,
            "pace": pace.model_dump(mode="json"),
            "guard": guard.model_dump(),
        }
        campaigns.begin(name, kind.name, plan)
    tally = run(batch, people)
    if not dry_run:
        if not tally.stopped:
            campaigns.set_state(name, campaigns.DONE)
        show(campaigns.campaign_of(name))
    return finished(batch, tally)


def drafts(
    people: Sequence[Recipient],
    *,
    name: str,
    payload: dict[str, Any],
    holdout: float,
    pace: Pace,
    now: datetime,
    spread: timedelta,
    channel: str,
) -> Iterator[Draft | LeftOut]:
    """The payload for each outside the holdout, at their hour and their place in the spread."""
    hours = best_hours([each.user_id for each in people], channel) if pace.hour == "best" else {}
    for person in people:
        if unit_interval(f"campaign/{name}", "holdout", person.user_id) < holdout / 100:
            yield LeftOut(person.user_id, "holdout", expected=True)
            continue
        at = _hour_of(person, hours, pace, now)
        if spread:
            # By chance and not by turn: the same place whenever and however often the run is started.
            at = (at or now) + spread * unit_interval(f"campaign/{name}", "pace", person.user_id)
        yield Draft(user_id=person.user_id, payload=payload, deliver_after=at)


def may_go_on(name: str) -> Callable[[], str]:
    """Asked before each chunk: why a run must end (paused or cancelled by hand, or by its guard), or nothing."""

    def ask() -> str:
        found = judged(campaigns.campaign_of(name))
        return "" if found.state == campaigns.RUNNING else f"{found.state}: {found.because}"

    return ask


def _spread(pace: Pace, people: int) -> timedelta:
    return timedelta(minutes=people / pace.per_minute) if pace.per_minute else timedelta(0)


def _hour_of(person: Recipient, hours: dict[str, int], pace: Pace, now: datetime) -> datetime | None:
    """When it is due for a person; None for at once."""
    if pace.hour == "now":
        return None if pace.on is None else max(now, at_hour(pace.on, person.time_zone, 0))
    hour = hours.get(person.user_id, pace.default_hour) if pace.hour == "best" else pace.hour
    if pace.on is not None:
        return max(now, at_hour(pace.on, person.time_zone, hour))
    return moment(now, person.time_zone, hour, latest=min(23, hour + 1)).deliver_after
