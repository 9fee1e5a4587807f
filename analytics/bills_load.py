"""Bills that may be due soon, and the wishes about reminders, read for a set of users at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from analytics.due_bills import DEFAULT_LEAD_DAYS, LONGEST_LEAD, LONGEST_SHIFT, Bill
from core.database import transaction
from core.statements import rows

_BILLS = """
SELECT b.user_id, b.name, b.amount, b.paid, b.due_on, b.autopay FROM bills b
WHERE b.user_id = ANY(%s) AND b.due_on BETWEEN %s AND %s ORDER BY b.user_id, b.due_on, b.id
"""
_PLACES = """
SELECT u.id, u.country, u.state, w.lead_days FROM users u LEFT JOIN reminder_wishes w ON w.user_id = u.id
WHERE u.id = ANY(%s)
"""


@dataclass(slots=True)
class Payer:
    """A person with their bills, where they live and how early they want to hear."""

    country: str
    state: str
    lead_days: Sequence[int]
    bills: list[Bill] = field(default_factory=list)
    has_corrupt: bool = False


def payers(users: Sequence[str], around: date) -> Mapping[str, Payer]:
    """By user; bills due from yesterday until the longest lead after `around`."""
    ids = list(users)
    until = around + timedelta(days=LONGEST_LEAD + LONGEST_SHIFT + 1)
    with transaction() as connection:
        found = {
            user: Payer(country, state, tuple(lead) if lead is not None else DEFAULT_LEAD_DAYS)
            for user, country, state, lead in rows(connection, _PLACES, (ids,))
        }
        for user, name, amount, paid, due_on, autopay in rows(
            connection, _BILLS, (ids, around - timedelta(days=1), until)
        ):
            if amount.is_finite() and paid.is_finite():
                found[user].bills.append(Bill(name, amount, paid, due_on, autopay))
            else:
                found[user].has_corrupt = True
    return found
