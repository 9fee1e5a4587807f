"""What we do about an outcome: one table, outcome × urgency, and the arithmetic of retries."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from core.vocabulary import ErrorClass, OutcomeKind, Urgency
from delivery.catalog import MessageType
from delivery.messages import Outcome


class Reaction(StrEnum):
    """The next step of a notification after an attempt."""

    DONE = "done"
    NEXT_ROUTE = "next_route"
    RETRY = "retry"
    AWAIT_RECEIPT = "await_receipt"
    DEAD_LETTER = "dead_letter"


_D, _N, _R, _W = Reaction.DONE, Reaction.NEXT_ROUTE, Reaction.RETRY, Reaction.AWAIT_RECEIPT

TABLE: Mapping[OutcomeKind, Mapping[Urgency, Reaction]] = {
    OutcomeKind.ACCEPTED: dict.fromkeys(Urgency, _D),
    OutcomeKind.REFUSED_FOR_GOOD: dict.fromkeys(Urgency, _N),
    OutcomeKind.UNKNOWN: dict.fromkeys(Urgency, _W),
    # A critical message does not wait for a provider that stumbles while another way is open.
    OutcomeKind.RETRY_LATER: {Urgency.CRITICAL: _N, Urgency.URGENT: _R, Urgency.NORMAL: _R, Urgency.LOW: _R},
    OutcomeKind.QUOTA_EXHAUSTED: {
        Urgency.CRITICAL: _N,
        Urgency.URGENT: _N,
        Urgency.NORMAL: _R,
        Urgency.LOW: _R,
    },
}


def reaction(outcome: Outcome, row: MessageType) -> Reaction:
    """The table's answer; a message that is wrong in itself goes to the dead letters, no route would take it."""
    if outcome.error_class is ErrorClass.OURS and outcome.kind is not OutcomeKind.UNKNOWN:
        return Reaction.DEAD_LETTER
    return TABLE[outcome.kind][row.urgency]


def closes(outcome: Outcome) -> str:
    """What an outcome rules out for the rest of this notification's life: nothing, its route, or its channel.

    A mistake of ours, in the message or in our account, says nothing about the route: it is tried there again once
    that is mended.
    """
    ours = outcome.misconfigured or outcome.error_class is ErrorClass.OURS
    if outcome.kind is not OutcomeKind.REFUSED_FOR_GOOD or ours:
        return ""
    return (
        "channel" if outcome.next_channel or outcome.suppress_address or outcome.revoke_consent else "route"
    )


def retry_at(row: MessageType, tries: int, now: datetime, *, retry_after: float | None) -> datetime:
    """When to try again: uniform in (0, base × 2^tries] (full jitter), never before the provider's Retry-After."""
    longest = row.backoff.total_seconds() * 2**tries
    wait = max(random.uniform(1.0, max(longest, 1.0)), retry_after or 0.0)
    return now + timedelta(seconds=wait)
