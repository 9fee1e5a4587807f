"""Messages without a receipt: their provider is asked, ever more rarely, until they are confirmed or called unconfirmed.

sent ──poll_after──▶ asked ──twice the age each time──▶ asked … ──unconfirmed_after──▶ sent, reason `unconfirmed`

A lost callback is made good by what the provider answers, which goes the same way as a callback: into the inbox, once.
A receipt that comes after all moves an unconfirmed message like any other.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from core.clock import utc_now
from core.database import transaction
from core.settings import settings
from core.statements import rows
from core.vocabulary import EventKind
from delivery import call_pace, ledger
from delivery.ledger import Fact
from delivery.messages import DeliveryEvent
from delivery.providers import provider
from delivery.receipts import receive

log = logging.getLogger(__name__)

UNCONFIRMED = "unconfirmed"
AT_A_TIME = 4
"""Lookups at one provider in flight: callbacks are for speed, this is for what they lost."""
LONGEST_ROUND = 10.0
"""Seconds after which a round stops asking; the rest is asked in the next one."""
_NO_NEWS = frozenset({EventKind.QUEUED, EventKind.SENT, EventKind.UNRECOGNISED})


@dataclass(frozen=True, slots=True)
class _Asked:
    attempt_id: UUID
    provider: str
    reference: str


def poll_unconfirmed(*, limit: int = 500, now: datetime | None = None) -> dict[str, int]:
    """Ask for messages whose receipt is late, and age the oldest; how many came to which end.

    Keys: `told` (the provider knew more), `no_news`, `silent` (it did not answer), `later`, `unconfirmed`.
    """
    at = now or utc_now()
    with transaction() as connection:
        aged = _age(connection, at, limit)
        asked = _take(connection, limit)
    counts: Counter[str] = Counter(unconfirmed=aged)
    by_provider: dict[str, list[_Asked]] = defaultdict(list)
    for each in asked:
        by_provider[each.provider].append(each)
    for name, waiting in by_provider.items():
        events, silent, later = _ask_all(name, waiting)
        news = [event for event in events if event.kind not in _NO_NEWS]
        receive(news)
        counts.update(told=len(news), no_news=len(events) - len(news), silent=silent, later=later)
    found = {word: number for word, number in counts.items() if number}
    if found:
        log.info("unconfirmed_polled", extra={"counts": found})
    return found


def _ask_all(name: str, waiting: Sequence[_Asked]) -> tuple[list[DeliveryEvent], int, int]:
    """(present statuses, how many the provider did not answer, how many there was no time for)."""
    pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix=f"poll-{name}")
    until = time.monotonic() + LONGEST_ROUND
    asked = {pool.submit(_ask, name, each, until): each for each in waiting}
    done, late = wait(asked, timeout=LONGEST_ROUND)
    pool.shutdown(wait=False, cancel_futures=True)  # a provider that hangs must not hold up who called us
    answers = [(event, asked[each].attempt_id) for each in done if (event := each.result()) is not None]
    return [replace(event, attempt_id=own) for event, own in answers], len(done) - len(answers), len(late)


def _ask(name: str, each: _Asked, until: float) -> DeliveryEvent | None:
    """The present status; None when the provider does not say, or there was no turn at its pace."""
    if not call_pace.await_turn(name, holder=each.attempt_id.hex, urgent=False, until=until):
        return None
    event = provider(name).lookup(each.reference)
    call_pace.learn(name)
    return event


def _take(connection: Connection, limit: int) -> list[_Asked]:
    """Those whose turn it is, marked as asked: the next turn comes when they are twice as old."""
    found = rows(
        connection,
        "WITH late AS (SELECT id FROM notifications WHERE state = 'sent' AND reason <> %(unconfirmed)s"
        "  AND updated_at < now() - make_interval(secs => %(after)s)"
        "  AND updated_at < now() - (now() - sent_at) / 2 ORDER BY updated_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED),"
        " marked AS (UPDATE notifications n SET updated_at = now() FROM late WHERE n.id = late.id RETURNING n.id)"
        " SELECT DISTINCT ON (a.notification_id) a.id, a.provider, a.reference FROM attempts a"
        " JOIN marked ON marked.id = a.notification_id WHERE a.outcome = 'accepted' AND a.reference <> ''"
        " ORDER BY a.notification_id, a.id DESC",
        {"unconfirmed": UNCONFIRMED, "after": settings().poll_after_seconds, "limit": limit},
    )
    return [_Asked(*row) for row in found]


def _age(connection: Connection, now: datetime, limit: int) -> int:
    """Call unconfirmed what was sent too long ago; the state stays, because it may have arrived."""
    oldest = now - timedelta(hours=settings().unconfirmed_after_hours)
    found: Sequence[tuple[object, ...]] = rows(
        connection,
        "WITH old AS (SELECT id FROM notifications WHERE state = 'sent' AND reason <> %(unconfirmed)s"
        "  AND sent_at < %(oldest)s ORDER BY updated_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)"
        " UPDATE notifications n SET reason = %(unconfirmed)s FROM old WHERE n.id = old.id"
        " RETURNING n.id, n.user_id, n.message_type, n.channel, n.provider",
        {"unconfirmed": UNCONFIRMED, "oldest": oldest, "limit": limit},
    )
    ledger.record_facts(
        connection,
        [
            Fact(
                at=now, kind=UNCONFIRMED, channel=str(channel), provider=str(name), notification_id=notification_id,
                user_id=str(user_id), message_type=str(message_type),
            )
            for notification_id, user_id, message_type, channel, name in found
            if isinstance(notification_id, UUID)
        ],
    )  # fmt: skip
    return len(found)
