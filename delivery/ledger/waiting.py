"""What waits of a campaign: put off while it is paused, called back when it goes on, withdrawn when it is cancelled.

Likewise what waits for a person who is to be forgotten is withdrawn.

What a worker holds already goes out; what it defers is met by the next call.
"""

from sqlalchemy import Connection

from core.statements import execute

PAUSED, CANCELLED = "campaign_paused", "campaign_cancelled"
FAR = "1000 days"
"""Added to all of a notification's times and taken off again, so that its own hour and its expiry come back."""

_SHIFT = """
UPDATE notifications SET deliver_after = deliver_after + %(by)s::interval, expires_at = expires_at + %(by)s::interval,
    publish_after = greatest(publish_after, deliver_after) + %(by)s::interval, reason = %(reason)s, updated_at = now()
WHERE campaign = %(campaign)s AND state = 'accepted' AND (reason = 'campaign_paused') = %(held)s
"""

_WITHDRAW = (
    "UPDATE notifications SET state = 'skipped', reason = %s, lease_until = NULL, final_at = now(), updated_at = now()"
    " WHERE state = 'accepted'"
)


def put_off(connection: Connection, campaign: str) -> int:
    """Nothing of it becomes due until `call_back`; how many were put off now."""
    return _shift(connection, campaign, by=FAR, held=False, reason=PAUSED)


def call_back(connection: Connection, campaign: str) -> int:
    """They have the times again that they had; how many."""
    return _shift(connection, campaign, by=f"-{FAR}", held=True, reason="")


def withdraw(connection: Connection, campaign: str) -> int:
    """What waits is never sent; how many."""
    return execute(connection, f"{_WITHDRAW} AND campaign = %s", (CANCELLED, campaign))


def withdraw_from(connection: Connection, user_id: str, *, reason: str) -> int:
    """What waits for a person is never sent, because of `reason`; how many."""
    return execute(connection, f"{_WITHDRAW} AND user_id = %s", (reason, user_id))


def _shift(connection: Connection, campaign: str, *, by: str, held: bool, reason: str) -> int:
    return execute(connection, _SHIFT, {"by": by, "held": held, "reason": reason, "campaign": campaign})
