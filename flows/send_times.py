"""When a batch's messages leave: deferrable ones may wait for their person's better hour, and why is written down.

Who is in the holdout or the exploration is decided here too, in `choose_sends`; a channel that has learnt nothing
changes nothing. A live `.delay()` goes at once: whoever calls it has chosen the time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from core.database import transaction
from delivery.catalog import message_type

if TYPE_CHECKING:
    from flows.batch_values import Draft

MAY_WAIT: Mapping[str, timedelta] = {
    "weekly_checkin": timedelta(hours=4),
    "monthly_report": timedelta(hours=24),
    "career_insights": timedelta(hours=24),
    "educational_content": timedelta(hours=24),
}
"""How long after its batch's own time a message may wait. Types that speak of a day (a birthday, a bill) may not."""
AWAKE = range(8, 21)
"""Local hours that may be chosen; law and wishes are judged again when it is sent."""


def at_better_hours(
    name: str, drafts: Sequence["Draft"], keys: Sequence[str], *, now: datetime
) -> list["Draft"]:
    """The drafts of one type with `deliver_after` at their chosen times; `keys` are their idempotency keys.

    A campaign's messages keep their time: it has its own pace.
    """
    kind = message_type(name)
    if name not in MAY_WAIT or not kind.deferrable:
        return list(drafts)
    from analytics.send_time_store import Wish, choose_sends

    wishes = [
        Wish(
            draft.user_id,
            key,
            deadline=(draft.deliver_after or now) + MAY_WAIT[name],
            earliest=draft.deliver_after,
        )
        for draft, key in zip(drafts, keys, strict=True)
        if draft.campaign is None
    ]
    with transaction() as connection:
        chosen = choose_sends(
            connection, wishes, channel=next(each for each in kind.channels if kind.allows(each)),
            message_type=name, now=now, allowed=lambda local: local.hour in AWAKE,
        )  # fmt: skip
    return [
        replace(draft, deliver_after=choice.until if choice.until > now else None)
        if (choice := chosen.get(key)) and choice.until
        else draft
        for draft, key in zip(drafts, keys, strict=True)
    ]
