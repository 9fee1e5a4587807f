"""The rate limit, last of all policies because it spends: only what everybody else allows takes tokens.

Two buckets: the catalog's limit per type × channel per minute, in messages, and the provider's pace, in its units, of
which critical messages keep a reserved share. Over the limit a message waits until the instant reserved for it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import compress

from core.vocabulary import Channel, Urgency
from delivery.policies.base import ALLOW, Candidate, Facts, Policy, Verdict
from delivery.policies.reasons import Reason
from delivery.throttle import Bucket, Spender, TokenAnswer, TokenRequest

CRITICAL_SHARE = 5
"""One in so many of a provider's units per minute is kept for critical messages."""

PAUSE_JITTER = timedelta(seconds=30)


def spending(spend: Spender) -> Policy:
    """The policy that takes its tokens from `spend`, one call for the whole batch."""

    def check(candidates: Sequence[Candidate], facts: Facts, now: datetime) -> list[Verdict]:  # noqa: ARG001  every policy takes the same
        allowed = [one.type.allows(one.channel) for one in candidates]
        asking = [_request(one, now) for one in compress(candidates, allowed)]
        answers = iter(spend(asking) if asking else ())
        return [
            _verdict(one, next(answers), now)
            if may
            else Verdict.skip(Reason.CHANNEL_FORBIDDEN, channel=one.channel.value)
            for one, may in zip(candidates, allowed, strict=True)
        ]

    return check


def _request(candidate: Candidate, now: datetime) -> TokenRequest:
    limit = _type_bucket(candidate.type.name, candidate.channel, candidate.type.limits[candidate.channel])
    pace = candidate.provider_units_per_minute
    tokens = [(limit, 1)]
    if candidate.provider and pace:
        tokens.append((_provider_bucket(candidate.provider, pace), max(1, candidate.units)))
    return TokenRequest(
        candidate.notification_id.hex,
        tokens,
        (candidate.expires_at - now).total_seconds(),
        candidate.type.urgency is Urgency.CRITICAL,
    )


@lru_cache(maxsize=256)
def _type_bucket(type_name: str, channel: Channel, limit: int) -> Bucket:
    return Bucket(key=f"type:{type_name}:{channel}", limit=limit)


@lru_cache(maxsize=256)
def _provider_bucket(name: str, pace: int) -> Bucket:
    return Bucket(key=f"provider:{name}", limit=pace, reserve=pace // CRITICAL_SHARE)


def _verdict(candidate: Candidate, answer: TokenAnswer, now: datetime) -> Verdict:
    marker = {"limiter": "away"} if answer.redis_away else {}
    if answer.wait is None:
        return Verdict.skip(Reason.NO_TOKEN_BEFORE_EXPIRY)
    if answer.wait == 0:
        return Verdict.allow(**marker) if marker else ALLOW
    until = now + timedelta(seconds=answer.wait)
    if answer.redis_away:
        return Verdict.defer(until + PAUSE_JITTER * candidate.jitter, Reason.LIMITER_AWAY, **marker)
    return Verdict.defer(until, Reason.RATE_LIMITED, limit=candidate.type.limits[candidate.channel])
