"""The review list: what people wrote that a machine should not decide, read and decided by a person."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.database import transaction
from core.errors import InvalidRequest
from core.logs import mask
from core.sealing import unseal
from core.statements import execute, rows
from core.vocabulary import Channel
from delivery.inbound import ACTIONS, ADDRESS_PLACE, TEXT_PLACE, Received
from delivery.keywords import Intent, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """One message on the list; `address` is masked, `text` is what the person wrote."""

    id: UUID
    channel: Channel
    address: str
    text: str
    matched: str
    at: datetime
    users: tuple[str, ...]


def waiting(*, limit: int = 100) -> list[Doubtful]:
    """What nobody has decided yet, oldest first."""
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT m.id, m.channel, m.address_sealed, m.text_sealed, m.matched, m.at,"
            " ARRAY(SELECT user_id FROM contact_points c WHERE c.channel = m.channel AND"
            "  c.address_index = m.address_index ORDER BY 1)"
            " FROM inbound_messages m WHERE intent = 'review' AND reviewed_at IS NULL ORDER BY at LIMIT %s",
            (limit,),
        )
    return [
        Doubtful(
            id=r[0],
            channel=Channel(r[1]),
            address=mask(unseal(r[2], place=ADDRESS_PLACE, row=r[0])),
            text=unseal(r[3], place=TEXT_PLACE, row=r[0]),
            matched=r[4],
            at=r[5],
            users=tuple(r[6]),
        )
        for r in found
    ]


def resolve(message_id: UUID, intent: Intent, *, by: str) -> str:
    """Do what `by` has read in the message, and take it off the list; what that came to.

    InvalidRequest for a message that is not on the list.
    """
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT m.channel, m.address_index, m.provider, m.event_key, m.at,"
            " ARRAY(SELECT user_id FROM contact_points c WHERE c.channel = m.channel AND"
            "  c.address_index = m.address_index ORDER BY 1)"
            " FROM inbound_messages m WHERE id = %s AND intent = 'review' AND reviewed_at IS NULL",
            (message_id,),
        )
    if not found:
        raise InvalidRequest("message", f"{message_id} is not on the review list")
    channel, index, provider, event_key, at, users = found[0]
    result = ACTIONS[intent](
        Received(
            id=message_id,
            channel=Channel(channel),
            index=bytes(index),
            reading=Reading(intent, f"decided by {by}"),
            at=at,
            users=users,
            source=f"{provider}:{event_key}",
        )
    )
    with transaction() as connection:
        execute(
            connection,
            "UPDATE inbound_messages SET reviewed_at = now(), reviewed_by = %s, result = %s WHERE id = %s",
            (by, f"{intent}: {result}", message_id),
        )
    return result
