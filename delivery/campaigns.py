"""Campaigns: their rows, what may become of them, and what has.

begin ─▶ running ─all are accepted▶ done        pause ─▶ paused ─resume▶ running        cancel ─▶ cancelled, for ever

Pausing and cancelling reach the messages that wait as well: nothing of it leaves after the next seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.database import transaction
from core.errors import InvalidRequest
from core.statements import as_json, execute, rows
from delivery.ledger import waiting

RUNNING, DONE, PAUSED, CANCELLED = "running", "done", "paused", "cancelled"
_ON_ITS_WAY = {PAUSED: waiting.put_off, RUNNING: waiting.call_back, CANCELLED: waiting.withdraw}
"""What a state asks of the messages that wait."""
_CAMPAIGNS = "SELECT name, message_type, state, because, plan FROM campaigns"
_COUNTED: Mapping[str, str] = {
    "accepted": "true",
    "waiting": "state IN ('accepted', 'claimed')",
    "sent": "sent_at IS NOT NULL",
    "delivered": "state = 'delivered'",
    "bounced": "state = 'bounced'",
    "complained": "state = 'complained'",
    "failed": "state IN ('failed', 'dead')",
    "skipped": "state = 'skipped'",
}
_COUNTS = (
    f"SELECT {', '.join(f'count(*) FILTER (WHERE {test})' for test in _COUNTED.values())}"  # noqa: S608  our own tests
    " FROM notifications WHERE campaign = %s AND message_type = %s"
)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign's row; `because` says who or what put it into its state."""

    name: str
    message_type: str
    state: str
    because: str
    plan: Mapping[str, Any]


def begin(name: str, message_type: str, plan: Mapping[str, Any]) -> None:
    """Starts a campaign, or goes on with a paused one; InvalidRequest when it was cancelled or is another one."""
    with transaction() as connection:
        execute(
            connection,
            "INSERT INTO campaigns (name, message_type, plan) VALUES (%s, %s, %s::jsonb) ON CONFLICT (name) DO UPDATE"
            " SET state = 'running', because = '', plan = EXCLUDED.plan, updated_at = now()"
            " WHERE campaigns.state <> 'cancelled' AND campaigns.message_type = EXCLUDED.message_type",
            (name, message_type, as_json(plan)),
        )
        waiting.call_back(connection, name)
    found = campaign_of(name)
    if found.state == CANCELLED:
        raise InvalidRequest("name", f"the campaign {name!r} was cancelled: give a new one another name")
    if found.message_type != message_type:
        raise InvalidRequest(
            "name", f"the campaign {name!r} sends {found.message_type}: give this one another name"
        )


def set_state(name: str, state: str, because: str = "") -> int:
    """Paused, cancelled, running or done, and the waiting messages with it; how many of them that moved.

    InvalidRequest when there is no such campaign, or it was cancelled.
    """
    with transaction() as connection:
        changed = execute(
            connection,
            "UPDATE campaigns SET state = %s, because = %s, updated_at = now() WHERE name = %s"
            " AND (state <> 'cancelled' OR state = %s)",
            (state, because, name, state),
        )
        if changed:
            return _ON_ITS_WAY[state](connection, name) if state in _ON_ITS_WAY else 0
    campaign_of(name)
    raise InvalidRequest("name", f"the campaign {name!r} was cancelled: that is for ever")


def campaign_of(name: str) -> Campaign:
    """The campaign of that name; InvalidRequest when there is none."""
    with transaction() as connection:
        found = rows(connection, _CAMPAIGNS + " WHERE name = %s", (name,))
    if not found:
        raise InvalidRequest("name", f"there is no campaign {name!r}")
    return Campaign(*found[0])


def campaigns() -> list[Campaign]:
    """All campaigns, the newest first."""
    with transaction() as connection:
        return [Campaign(*row) for row in rows(connection, _CAMPAIGNS + " ORDER BY started_at DESC, name")]


def counts_of(campaign: Campaign) -> dict[str, int]:
    """What became of its messages so far: accepted, waiting, sent, delivered, bounced, complained, failed, skipped."""
    with transaction() as connection:
        (counts,) = rows(connection, _COUNTS, (campaign.name, campaign.message_type))
        return dict(zip(_COUNTED, counts, strict=True))


def enforce(campaign: Campaign) -> int:
    """Meets the messages that came back to waiting after their campaign was paused or cancelled; how many."""
    if campaign.state not in {PAUSED, CANCELLED}:
        return 0
    with transaction() as connection:
        return _ON_ITS_WAY[campaign.state](connection, campaign.name)
