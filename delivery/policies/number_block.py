"""The pace of a block of numbers abroad (`delivery.pumping`), over all types together: what is over it goes by mail.

A Skip, not a Defer, and tokens of its own request: a block that is being pumped must neither be served later nor make
others wait. It spends, so it comes after all policies that don't.
"""

from collections.abc import Sequence
from datetime import datetime

from core.vocabulary import Urgency
from delivery import pumping
from delivery.policies.base import ALLOW, Candidate, Facts, Policy, Verdict
from delivery.policies.reasons import Reason
from delivery.throttle import Spender, TokenAnswer, TokenRequest


def spending(spend: Spender) -> Policy:
    """The policy that takes its tokens from `spend`, one call for the whole batch."""

    def check(candidates: Sequence[Candidate], facts: Facts, now: datetime) -> list[Verdict]:  # noqa: ARG001  every policy takes the same
        paced = [one for one in candidates if one.block]
        if not paced:
            return [ALLOW] * len(candidates)
        answers = iter(spend([_request(one) for one in paced]))
        return [_verdict(one, next(answers)) if one.block else ALLOW for one in candidates]

    return check


def _request(one: Candidate) -> TokenRequest:
    return TokenRequest(
        holder=one.notification_id.hex,
        tokens=[(pumping.bucket(one.block), 1)],
        urgent=one.type.urgency is Urgency.CRITICAL,
        before=0.0,
    )


def _verdict(one: Candidate, answer: TokenAnswer) -> Verdict:
    passes = (
        answer.wait == 0 or answer.redis_away
    )  # without the limiter the rate limit, which is next, decides
    return ALLOW if passes else Verdict.skip(Reason.NUMBER_BLOCK_PACED, country=one.country)
