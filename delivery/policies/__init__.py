"""Whether a message may be sent now: eleven policies in a fixed order, one verdict with its evidence.

The first Skip or Defer decides and later policies don't see the candidate, so that the rate limit, which is last,
spends tokens only on what is really about to be sent.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from delivery.policies import (
    budget,
    consent,
    destination,
    digest,
    expiry,
    frequency,
    hours,
    number_block,
    preferences,
    quiet_hours,
    rate_limit,
    suppression,
)
from delivery.policies.base import ALLOW, Candidate, Facts, Policy, Verdict, VerdictKind
from delivery.throttle import Spender

RULES_VERSION = f"2026.11.3+{hours.digest()}"
"""Recorded with every verdict: changes by hand with the rules' code, by itself with the rows of `quiet_hours.csv`."""

ORDER: tuple[tuple[str, Policy], ...] = (
    ("expiry", expiry.check),
    ("consent", consent.check),
    ("suppression", suppression.check),
    ("destination", destination.check),
    ("preferences", preferences.check),
    ("digest", digest.check),
    ("quiet_hours", quiet_hours.check),
    ("frequency", frequency.check),
    ("budget", budget.check),
)
"""The pure policies; those that spend follow them in `judge`."""

SPENDING: tuple[tuple[str, Callable[[Spender], Policy]], ...] = (
    ("number_block", number_block.spending),
    ("rate_limit", rate_limit.spending),
)


def judge(candidates: Sequence[Candidate], facts: Facts, now: datetime, spend: Spender) -> list[Verdict]:
    """One verdict per candidate, in their order; the evidence holds `rules`, what each policy found, and `policy`
    for the one that objected.
    """
    evidence: list[dict[str, Any]] = [{"rules": RULES_VERSION} for _ in candidates]
    decided: dict[int, Verdict] = {}
    places: Sequence[int] = range(len(candidates))
    asked = candidates
    for name, check in (*ORDER, *((name, spending(spend)) for name, spending in SPENDING)):
        if len(asked) + len(decided) > len(candidates):  # the policy before has objected to some
            places = [place for place in places if place not in decided]
            asked = [candidates[place] for place in places]
        if not asked:
            break
        for place, verdict in zip(places, check(asked, facts, now), strict=True):
            if verdict is ALLOW:  # most are, and have nothing to tell
                continue
            evidence[place].update(verdict.evidence)
            if verdict.kind is not VerdictKind.ALLOW:
                evidence[place]["policy"] = name
                decided[place] = Verdict(verdict.kind, verdict.reason, verdict.until, evidence[place])
    return [
        decided.get(place) or Verdict(VerdictKind.ALLOW, "", None, found)
        for place, found in enumerate(evidence)
    ]
