"""What the batches must have sent in a run: found by the keys that only they write."""

from collections.abc import Mapping
from datetime import datetime

from cli.demo.outcome import Expectation
from core.database import transaction
from core.statements import rows

SENT: Mapping[str, str] = {
    "a monthly report from its flow is in the inbox": "monthly_report:____-__:%",
    "an onboarding step from its flow is in the inbox": "onboarding_sequence:welcome-%",
    "career insights from their flow are accepted": "career_insights:____-W__:%",
}
"""Expectation → pattern of its keys; insights may wait for people's next morning."""


def expectations(since: datetime) -> list[Expectation]:
    """One per batch of `SENT`."""
    found = []
    with transaction() as connection:
        for what, pattern in SENT.items():
            accepted, sent = rows(
                connection,
                "SELECT count(*), count(sent_at) FROM notifications WHERE created_at >= %s AND idempotency_key LIKE %s",
                (since, pattern),
            )[0]
            met = accepted > 0 if what.endswith("accepted") else sent > 0
            found.append(Expectation(what, met, f"{accepted} accepted, {sent} sent"))
    return found
