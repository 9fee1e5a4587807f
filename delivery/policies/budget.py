"""The budget: what is spent is spent. Messages that are not critical wait for the next day or month, or expire.

Within a batch each message that passes counts for the next, at its estimated price.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from core.vocabulary import Urgency
from delivery import costs
from delivery.budgets import Standing
from delivery.policies.base import ALLOW, Candidate, Facts, Verdict
from delivery.policies.reasons import Reason

SPREAD = timedelta(hours=1)
"""Over which the first messages of the next period are spread."""


def check(candidates: Sequence[Candidate], facts: Facts, now: datetime) -> list[Verdict]:
    """Defer what would go over a budget, skip it where it expires before the next period; critical is exempt."""
    if not facts.budgets:
        return [ALLOW] * len(candidates)
    spent = {each.name: each.spent for each in facts.budgets}
    verdicts = []
    for one in candidates:
        price = one.units * costs.unit_price(
            one.channel, on=now.date(), provider=one.provider, country=one.country
        )
        covering = [each for each in facts.budgets if each.covers(one.channel)]
        over = [each for each in covering if spent[each.name] + price > each.limit]
        if over and one.type.urgency is not Urgency.CRITICAL:
            verdicts.append(_objection(one, max(over, key=lambda each: each.until)))
            continue
        for each in covering:
            spent[each.name] += price
        verdicts.append(ALLOW)
    return verdicts


def _objection(one: Candidate, budget: Standing) -> Verdict:
    until = budget.until + SPREAD * one.jitter
    evidence: dict[str, str | Decimal] = {"budget": budget.name, "limit_usd": str(budget.limit)}
    if until >= one.expires_at:
        return Verdict.skip(Reason.BUDGET_EXHAUSTED, **evidence)
    return Verdict.defer(until, Reason.BUDGET_EXHAUSTED, **evidence)
