"""payment-reminders (daily): one message per person about the bills they should pay, on the days that they wish.

bills ─what is left, last banking day, lead days▶ one digest ─▶ accepted under `payment_reminder:2025-01-29:user`
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from prefect import flow

from analytics.local_days import moment
from core.clock import utc_now
from flows.audience import EVERYBODY, Audience, Recipient, people_of
from flows.batch_results import finished
from flows.batch_values import Draft, LeftOut
from flows.batches import Batch, run

HOUR = 9
MOST_BILLS = 20


@flow(name="payment-reminders")
def payment_reminders(audience: Audience = EVERYBODY, dry_run: bool = False) -> Any:
    """Reminders for the day that each person is in (or wakes up to); at most one per person and day."""
    now = utc_now()
    batch = Batch(
        message_type="payment_reminder",
        period=f"{now:%Y-%m-%d}",
        prepare=partial(reminders, now=now),
        now=now,
        dry_run=dry_run,
        once=False,
    )
    return finished(batch, run(batch, people_of(audience)))


def reminders(people: Sequence[Recipient], now: datetime) -> Iterator[Draft | LeftOut]:
    """One digest for each who has something to pay."""
    from analytics.bills_load import payers
    from analytics.due_bills import due_bills

    known = payers([person.user_id for person in people], now.date())
    for person in people:
        payer = known[person.user_id]
        if payer.has_corrupt:
            yield LeftOut(person.user_id, "a bill has no readable amount")
            continue
        when = moment(now, person.time_zone, HOUR)
        due = due_bills(payer.bills, when.on, payer.country, payer.state, payer.lead_days)[:MOST_BILLS]
        if not due:
            yield LeftOut(person.user_id, NOTHING_DUE, expected=True)
            continue
        yield Draft(
            user_id=person.user_id,
            payload=payload_of(due),
            period=when.on.isoformat(),
            deliver_after=when.deliver_after,
        )


NOTHING_DUE = "nothing to pay on these days"


def payload_of(due: Sequence[Any]) -> dict[str, Any]:
    """The payload of message type payment_reminder for one bill or several."""
    first = due[0]
    payload: dict[str, Any] = {
        "bill_name": first.name,
        "due_date": first.due_on.isoformat(),
        "amount": str(sum(bill.left for bill in due)),
    }
    moved = [bill.pay_by for bill in due if bill.pay_by != bill.due_on]
    if moved:
        payload["pay_by"] = min(moved).isoformat()
    if first.paid:
        payload["paid"] = str(first.paid)
    if len(due) > 1:
        payload["bill_count"] = len(due)
        payload["bills"] = [
            {
                "name": bill.name,
                "amount": str(bill.left),
                "due_date": bill.due_on.isoformat(),
                "pay_by": bill.pay_by.isoformat() if bill.pay_by != bill.due_on else "",
                "paid": str(bill.paid or ""),
            }
            for bill in due
        ]
    return payload
