"""The eye on a campaign: its live counts as a table, and the pause when it is badly received."""

from typing import Annotated

from prefect.artifacts import create_table_artifact
from pydantic import BaseModel, ConfigDict, Field

from analytics.campaign_watch import Counts, reason_to_pause
from delivery import campaigns
from delivery.campaigns import Campaign

Percent = Annotated[float, Field(ge=0, le=100)]


class Guard(BaseModel):
    """Shares in percent above which it pauses by itself, once they are sure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bounced: Percent = 5
    complained: Percent = 0.3
    failed: Percent = 10


def judged(campaign: Campaign) -> Campaign:
    """The campaign as it is after its guard has looked at it: paused, with what waits, when a rate is surely too high."""
    if campaign.state not in {campaigns.RUNNING, campaigns.DONE}:
        return campaign
    guard = Guard.model_validate(campaign.plan.get("guard", {}))
    reason = reason_to_pause(Counts(**campaigns.counts_of(campaign)), guard.model_dump())
    if reason:
        campaigns.set_state(campaign.name, campaigns.PAUSED, reason)
    return campaigns.campaign_of(campaign.name)


def show(campaign: Campaign) -> dict[str, int]:
    """The live counts as a table in the UI, and as a result."""
    counts = campaigns.counts_of(campaign)
    because = f" ({campaign.because})" if campaign.because else ""
    create_table_artifact(
        key=f"campaign-{campaign.name}",
        table=[{"what": what, "count": count} for what, count in counts.items()],
        description=f"Campaign {campaign.name}: {campaign.state}{because}",
    )
    return counts
