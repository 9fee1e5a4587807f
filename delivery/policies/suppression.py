"""Suppression: an address that bounced, complained or opted out is not written to, whoever it belongs to."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from delivery.policies.base import ALLOW, Candidate, Facts, Verdict
from delivery.policies.reasons import Reason

CODES: Mapping[str, Reason] = {
    "hard_bounce": Reason.SUPPRESSED_HARD_BOUNCE,
    "soft_bounce": Reason.SUPPRESSED_SOFT_BOUNCE,
    "complaint": Reason.SUPPRESSED_COMPLAINT,
    "opted_out": Reason.SUPPRESSED_OPTED_OUT,
    "invalid_address": Reason.SUPPRESSED_INVALID_ADDRESS,
    "manual": Reason.SUPPRESSED_MANUAL,
}
"""The suppression row's reason → ours; any other is plain `suppressed`, with the row's word in the evidence."""


def check(candidates: Sequence[Candidate], facts: Facts, now: datetime) -> list[Verdict]:  # noqa: ARG001  every policy takes the same
    """Skip suppressed addresses, and users without an address on the channel; no urgency is above this."""
    if not facts.suppressed and all(one.address_index is not None for one in candidates):
        return [ALLOW] * len(candidates)
    return [_check(one, facts) for one in candidates]


def _check(candidate: Candidate, facts: Facts) -> Verdict:
    if candidate.address_index is None:
        return Verdict.skip(Reason.NO_CONTACT_POINT)
    why = facts.suppressed.get((candidate.channel, candidate.address_index))
    if why is None:
        return ALLOW
    return Verdict.skip(CODES.get(why, Reason.SUPPRESSED), suppression=why)
