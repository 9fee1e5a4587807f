"""Every key that makes something happen once, built in this one place so that none changes unseen.

The formats are pinned by tests: a changed key is a repeated message.
"""

import hashlib
from collections.abc import Iterable
from uuid import UUID


def attempt_key(attempt_id: UUID) -> str:
    """The provider's idempotency key of a message that travels alone (≤ 256 characters)."""
    return f"mingus-{attempt_id}"


def batch_key(attempt_ids: Iterable[UUID]) -> str:
    """The provider's idempotency key of a batch, derived from its members in their order."""
    members = hashlib.sha256(b"".join([each.int.to_bytes(16) for each in attempt_ids])).hexdigest()
    return f"mingus-batch-{members[:40]}"


def period_key(message_type: str, period: str, user_id: str) -> str:
    """The idempotency key of a batch job: one message of a type per user and period."""
    return f"{message_type}:{period}:{user_id}"
