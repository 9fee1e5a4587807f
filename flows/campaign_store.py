"""The campaigns' rows and their live counts."""

from collections.abc import Mapping, Sequence
from typing import Any

from analytics.campaign_watch import Counts
from core.database import as_json, execute, rows, transaction
from core.errors import InvalidRequest

_COUNTS = """
SELECT count(*), count(*) FILTER (WHERE state IN ('accepted', 'claimed')), count(*) FILTER (WHERE sent_at IS NOT NULL),
       count(*) FILTER (WHERE state = 'delivered'), count(*) FILTER (WHERE state = 'bounced'),
       count(*) FILTER (WHERE state = 'complained'), count(*) FILTER (WHERE state IN ('failed', 'dead')),
       count(*) FILTER (WHERE state = 'skipped')
FROM notifications WHERE campaign = %s AND message_type = %s
"""


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
        state, kind = rows(connection, "SELECT state, message_type FROM campaigns WHERE name = %s", (name,))[
            0
        ]
    if state == "cancelled":
        raise InvalidRequest("name", f"the campaign {name!r} was cancelled: give a new one another name")
    if kind != message_type:
        raise InvalidRequest("name", f"the campaign {name!r} sends {kind}: give this one another name")


def set_state(name: str, state: str, because: str = "") -> None:
    """Paused, cancelled, running or done; InvalidRequest when there is no such campaign."""
    with transaction() as connection:
        changed = execute(
            connection,
            "UPDATE campaigns SET state = %s, because = %s, updated_at = now() WHERE name = %s",
            (state, because, name),
        )
    if not changed:
        raise InvalidRequest("name", f"there is no campaign {name!r}")


def state_of(name: str) -> tuple[str, str]:
    """(state, because)."""
    with transaction() as connection:
        state, because = rows(connection, "SELECT state, because FROM campaigns WHERE name = %s", (name,))[0]
        return state, because


def counts_of(name: str, message_type: str) -> Counts:
    """What became of its notifications so far."""
    with transaction() as connection:
        return Counts(*rows(connection, _COUNTS, (name, message_type))[0])


def best_hours(users: Sequence[str], channel: str) -> dict[str, int]:
    """By user, the hour of their day in which they are most often there, where that is known."""
    with transaction() as connection:
        return dict(
            rows(
                connection,
                "SELECT user_id, best_hours[1] FROM send_times WHERE user_id = ANY(%s) AND channel = %s"
                " AND cardinality(best_hours) > 0",
                (list(users), channel),
            )
        )
