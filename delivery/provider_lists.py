"""What a provider's own list says about an attempt that was never answered."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from core.clock import utc_now
from core.database import transaction
from core.settings import settings
from core.statements import rows
from core.vocabulary import ErrorClass, OutcomeKind
from delivery.interrupted import Interrupted
from delivery.messages import Outcome
from delivery.providers import provider
from delivery.providers.base import ProviderRecord
from delivery.receipts import receive

NOT_THERE = Outcome(
    OutcomeKind.RETRY_LATER, code="surely_not_sent", error_class=ErrorClass.TRANSIENT_NETWORK, retry_after=1.0
)
CLOCKS_APART = timedelta(seconds=30)


def look_up(each: Interrupted) -> Outcome | None:
    """Accepted with its reference, `NOT_THERE`, or None when the provider can't be asked or the list doesn't decide.

    The status that the list shows is applied like a callback.
    """
    if each.content is None:
        return None
    carrier = provider(each.sent.route.provider)
    settled = utc_now() - each.opened_at >= timedelta(seconds=settings().unknown_settle_seconds)
    if carrier.idempotent and not settled:  # the others are not looked at before
        return None
    address, message = each.content
    records = carrier.search(
        address=address, since=each.opened_at - CLOCKS_APART, until=utc_now() + CLOCKS_APART
    )
    if records is None:
        return None
    if _twin_under_way(each):
        return None
    record = _ours(each, records, message.subject or message.body)
    if record is None:
        return NOT_THERE
    receive([replace(record.status_event, attempt_id=each.sent.attempt_id)])
    return Outcome(OutcomeKind.ACCEPTED, reference=record.reference, price=record.price, units=record.units)


def _ours(each: Interrupted, records: Sequence[ProviderRecord], shown: str) -> ProviderRecord | None:
    """The record of this attempt: by our id where the provider carries it, else what its list would show of it (a
    text's words, a mail's subject), sent after our call began, that no other attempt is known by.
    """
    for record in records:
        if record.attempt_id == each.sent.attempt_id:
            return record
    same_text = [
        record for record in records if record.attempt_id is None and record.body.strip() == shown.strip()
    ]
    known = _known_references(each, [record.reference for record in same_text])
    free = [record for record in same_text if record.reference not in known]
    return free[-1] if free else None  # newest comes first: the oldest


def _known_references(each: Interrupted, references: Sequence[str]) -> set[str]:
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT reference FROM attempts WHERE provider = %s AND reference = ANY(%s) AND id <> %s",
            (each.sent.route.provider, list(references), each.sent.attempt_id),
        )
    return {row[0] for row in found}


def _twin_under_way(each: Interrupted) -> bool:
    """True while another call to the same contact point is under way: a record without a name may be its."""
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT FROM attempts a JOIN notifications n ON n.id = a.notification_id WHERE a.closed_at IS NULL"
            " AND a.contact_point_id = %s AND a.id <> %s AND n.state = 'claimed' AND n.lease_until > now() LIMIT 1",
            (each.contact_point_id, each.sent.attempt_id),
        )
    return bool(found)
