"""When people are there, as the send-time flow has learnt it."""

from collections.abc import Sequence

from core.database import transaction
from core.statements import rows


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
