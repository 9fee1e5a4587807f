"""Whether a message may be sent now: eleven policies in a fixed order, one verdict with its evidence.

The first Skip or Defer decides and later policies don't see the candidate, so that the rate limit, which is last,
spends tokens only on what is really about to be sent.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

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
    evidence = [{"rules": RULES_VERSION} for _ in candidates]
    decided: list[Verdict | None] = [None] * len(candidates)
    for name, check in (*ORDER, *((name, spending(spend)) for name, spending in SPENDING)):
        open_ones = [index for index, verdict in enumerate(decided) if verdict is None]
        if not open_ones:
            break
        for index, verdict in zip(
            open_ones, check([candidates[index] for index in open_ones], facts, now), strict=True
        ):
            if verdict is ALLOW:  # most are, and have nothing to tell
                continue
            evidence[index] |= verdict.evidence
            if verdict.kind is not VerdictKind.ALLOW:
                evidence[index]["policy"] = name
                decided[index] = Verdict(verdict.kind, verdict.reason, verdict.until, evidence[index])
    return [
        verdict if verdict is not None else Verdict.allow(**evidence[index])
        for index, verdict in enumerate(decided)
    ]
