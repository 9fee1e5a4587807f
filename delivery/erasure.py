"""Erasure (GDPR 17): what names a person and what was said to them goes; what proves that we acted lawfully stays.

erase() = profile, addresses, wishes and finances gone, messages withdrawn and emptied, addresses marked
sweep() = daily, what could not go yet: a call whose outcome was not known, a message that was accepted that moment
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from core.clock import utc_now
from core.database import transaction
from core.errors import UnknownUser
from core.sealing import seal
from core.statements import execute, rows
from delivery import archive, audit, ledger
from delivery.archive_stores import ArchiveAway
from delivery.audit import Act
from delivery.intake import PAYLOAD_PLACE
from delivery.interrupted import SAME_KEY_FOR
from delivery.people import own_addresses
from delivery.policies.reasons import Reason
from delivery.suppressions import SuppressionRequest, suppress

GONE: tuple[str, ...] = (
    "contact_points", "preferences", "enrolments", "lessons", "reminder_wishes", "careers", "bills", "goals",
    "budgets", "transactions", "person_hours", "send_times", "engagement_scores", "frequency_caps",
)  # fmt: skip
"""Tables that lose the person's rows."""

KEPT: Mapping[str, str] = {
    "consents": "the proof of what was allowed and withdrawn (GDPR 7.1, 17.3 e)",
    "pending_withdrawals": "on their way into the consent ledger",
    "notifications": "that a message was sent or not, and why; its words are emptied",
    "delivery_events": "that a message was sent and what it cost; no content; dropped by the month",
    "user_days": "counts per day, from the events",
    "send_choices": "the probability of a sending hour, without which the learnt uplift could not be checked",
}
"""Tables that keep rows under the person's id (the app's own, which names nobody by itself), and why."""

PROFILE = (
    "name_sealed = NULL, birthday = NULL, time_zone = NULL, state = '', country = '', locale = 'en_US',"
    " paused_until = NULL, quiet_from = NULL, quiet_until = NULL, last_active_at = NULL"
)
ERASED = "erased"
"""The reason of the mark that outlives an erasure."""
LOOK_BACK = timedelta(days=60)
"""Erasures so long ago are swept again: a day on which something was away loses none."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure took away, in numbers."""

    rows: int
    """Of the tables in `GONE`."""
    withdrawn: int
    """Messages that waited."""
    payloads: int
    calls: int
    """Calls to providers whose content was kept."""
    marks: int
    """Addresses that nobody may send to from now on."""
    pages: int | None
    """Archived reports; None when the archive did not answer: the next sweep deletes them."""


def erase(user_id: str, *, actor: str) -> Erased:
    """Erase a person for good, with an entry in the audit chain; UnknownUser. Doing it twice is doing it once.

    From the commit on nothing is judged fit to be sent to them. What had passed before and is in a worker's hands can't
    be called back, nor the repeat of a call whose outcome is not known.
    """
    at = utc_now()
    with transaction() as connection:
        if not rows(connection, "SELECT FROM users WHERE id = %s FOR UPDATE", (user_id,)):
            raise UnknownUser("user", f"no user {user_id!r}")
        execute(
            connection,
            f"UPDATE users SET {PROFILE}, erased_at = COALESCE(erased_at, %s) WHERE id = %s",  # noqa: S608  constants
            (at, user_id),
        )
        marks = _mark(connection, user_id)
        gone = sum(
            execute(connection, f"DELETE FROM {table} WHERE user_id = %s", (user_id,))  # noqa: S608  constants
            for table in GONE
        )
        emptied = _empty(connection, user_id, at)
        audit.append(connection, [Act(actor=actor, action="erase", subject=f"user:{user_id}")])
    return Erased(gone, *emptied, marks, _without_pages(user_id))


def sweep(now: datetime) -> int:
    """Take away what was left of the people erased within `LOOK_BACK`; how many archived pages. ArchiveAway is raised."""
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT id FROM users WHERE erased_at > %s ORDER BY erased_at",
            (now - LOOK_BACK,),
        )
    people = [user_id for (user_id,) in found]
    for user_id in people:
        with transaction() as connection:
            _empty(connection, user_id, now)
    return sum(archive.erase(user_id) for user_id in people)


def _mark(connection: Connection, user_id: str) -> int:
    """Marks the person's addresses by blind index, and forgets what they wrote from them.

    An address that somebody else has too stays theirs.
    """
    addresses = own_addresses(connection, user_id)
    suppress(
        connection,
        [
            SuppressionRequest(channel=channel, address_index=index, reason=ERASED, source="erasure")
            for channel, index in addresses
        ],
    )
    for channel, index in addresses:
        execute(
            connection,
            "DELETE FROM inbound_messages WHERE channel = %s AND address_index = %s",
            (channel, index),
        )
    return len(addresses)


def _empty(connection: Connection, user_id: str, now: datetime) -> tuple[int, int, int]:
    """What waits is withdrawn and all that was said is taken out; how many messages, payloads and calls.

    Attempts before notifications, in the order in which settling locks them: neither waits for the other in a circle.
    """
    calls = ledger.forget_calls(connection, user_id, settled_before=now - SAME_KEY_FOR)
    withdrawn = ledger.withdraw_from(connection, user_id, reason=Reason.USER_ERASED)
    full = ledger.with_payload(connection, user_id)
    ledger.replace_payloads(connection, {each: seal(b"{}", place=PAYLOAD_PLACE, row=each) for each in full})
    return withdrawn, len(full), calls


def _without_pages(user_id: str) -> int | None:
    try:
        return archive.erase(user_id)
    except ArchiveAway:
        return None
