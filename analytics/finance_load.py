"""What reports are made of, read for a set of users at once: whole cents and whole days, so that sums are exact."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from analytics.load import read

# A corrupt amount (numeric has a NaN) becomes an empty one: it spoils its owner's report and no other.
TRANSACTIONS = """
SELECT user_id, (booked_on - DATE '1970-01-01')::int8 AS day,
       CASE WHEN amount <> 'NaN' THEN (amount * 100)::int8 END AS cents, category, merchant
FROM transactions WHERE user_id = ANY($1) AND booked_on >= $2 AND booked_on < $3
"""
BUDGETS = """
SELECT user_id, category, (monthly * 100)::int8 AS cents FROM budgets
WHERE user_id = ANY($1) AND monthly <> 'NaN' AND monthly > 0
"""
GOALS = """
SELECT user_id, name, (target * 100)::int8 AS target, (saved * 100)::int8 AS saved,
       (due_on - DATE '1970-01-01')::int8 AS due_day,
       ((created_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01')::int8 AS created_day
FROM goals WHERE user_id = ANY($1) AND target <> 'NaN' AND saved <> 'NaN' AND target > 0
ORDER BY user_id, target, id
"""
OVERDUE = """
SELECT user_id, count(*)::int8 AS overdue FROM bills
WHERE user_id = ANY($1) AND due_on >= $2 AND due_on < $3 AND paid < amount AND NOT autopay GROUP BY user_id
"""


@dataclass(frozen=True, slots=True)
class Money:
    """The frames of a set of users; amounts in whole cents, days since 1970-01-01, empty cents where corrupt."""

    transactions: pd.DataFrame
    budgets: pd.DataFrame
    goals: pd.DataFrame
    overdue: pd.DataFrame

    def before(self, end: date) -> "Money":
        """The same without the transactions booked from `end` on."""
        last = (end - date(1970, 1, 1)).days
        return replace(self, transactions=self.transactions[self.transactions["day"] < last])


def money_of(connection: Any, users: Sequence[str], start: date, end: date, due_from: date) -> Money:
    """The transactions booked in [start, end) with budgets and goals, and the bills of [due_from, end) left unpaid."""
    ids = list(users)
    return Money(
        transactions=read(connection, TRANSACTIONS, (ids, start, end)),
        budgets=read(connection, BUDGETS, (ids,)),
        goals=read(connection, GOALS, (ids,)),
        overdue=read(connection, OVERDUE, (ids, due_from, end)),
    )
