"""From a message and the place that it would go to, to what the policies judge."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from uuid import UUID

from core.errors import InvalidRequest
from core.vocabulary import Channel
from delivery import digests, pumping
from delivery.catalog import MessageType
from delivery.loading import Batch, ContactPoint, Work
from delivery.policies.base import Candidate
from delivery.rendering import render_for


def candidate_of(
    batch: Batch, work: Work, contact_point: ContactPoint, *, provider: str, pace: int, now: datetime
) -> Candidate:
    """A notification of the batch on its way to `contact_point` by `provider`, whose pace is in units a minute."""
    paced_by_block = pumping.paced(contact_point.channel, contact_point.country)
    return candidate_for(
        work.type,
        work.claimed.user_id,
        contact_point,
        notification_id=work.id,
        now=work.claimed.created_at,
        expires_at=work.claimed.expires_at,
        is_digest=digests.GATHERED in work.payload,
        amount=_amount(work.payload.get("amount")),
        block=pumping.block(contact_point.address()) if paced_by_block else "",
        provider=provider,
        pace=pace,
        units=_units(batch, work, contact_point.channel, now) if pace else 1,
    )


def candidate_for(
    row: MessageType,
    user_id: str,
    contact_point: ContactPoint,
    *,
    notification_id: UUID,
    now: datetime,
    expires_at: datetime | None = None,
    is_digest: bool = False,
    amount: Decimal | None = None,
    block: str = "",
    provider: str = "",
    pace: int = 0,
    units: int = 1,
) -> Candidate:
    """A message of type `row`, accepted at `now`, as policies see it; `pace` is the provider's, in units a minute."""
    # In the order of the fields: named, they would cost three times as much, for each message on each channel.
    return Candidate(
        notification_id,
        user_id,
        row,
        contact_point.channel,
        expires_at or now + row.lifetime,
        contact_point.address_index,
        contact_point.country,
        contact_point.region,
        contact_point.zones,
        amount,
        units,
        (notification_id.int & 0xFFFF) / 0x10000,
        is_digest,
        block,
        provider,
        pace,
    )


def _units(batch: Batch, work: Work, channel: Channel, now: datetime) -> int:
    """What the message will be billed for; one that can't be rendered is found out, and told, when it is prepared."""
    try:
        return render_for(batch, work, channel, now).units
    except InvalidRequest:
        return 1


def _amount(value: object) -> Decimal | None:
    try:
        return Decimal(str(value).replace(",", "")) if value is not None else None
    except InvalidOperation:
        return None
