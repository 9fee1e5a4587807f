"""Whom a signed link speaks for: the person and the message that carried it."""

from dataclasses import dataclass

from core.database import transaction
from core.errors import UnknownUser
from core.logs import mask
from core.sealing import unseal
from core.statements import rows
from core.vocabulary import Channel, Purpose
from delivery.catalog import MessageType, message_type
from delivery.loading import ADDRESS_PLACE, consent_states
from delivery.signed_links import notification_of

PURPOSES = {
    Purpose.ALERTS: "alerts about your accounts",
    Purpose.ACCOUNT: "reminders and reports about your accounts",
    Purpose.WELLNESS: "check-ins and goals",
    Purpose.MARKETING: "tips, career and learning",
}
"""What a purpose is called in front of people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The person who holds a link; `addresses` are masked."""

    token: str
    notification_id: str
    user_id: str
    type: MessageType
    addresses: dict[Channel, str]
    allowed: frozenset[tuple[Channel, Purpose]]
    """What has not been withdrawn."""

    @property
    def purpose(self) -> str:
        """What the message was for, in words."""
        return PURPOSES[self.type.purpose]


def holder_of(token: str) -> Holder:
    """The holder of a genuine link; InvalidSignature for a forged one, UnknownUser for one that has outlived them."""
    notification_id = notification_of(token)
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT n.user_id, n.message_type FROM notifications n JOIN users u ON u.id = n.user_id"
            " WHERE n.id = %s AND u.erased_at IS NULL",
            (notification_id,),
        )
        if not found:
            raise UnknownUser("token", "stands for a message that is no longer kept")
        user_id, name = found[0]
        points = rows(
            connection,
            "SELECT id, channel, address_sealed FROM contact_points WHERE user_id = %s AND is_primary"
            " ORDER BY created_at",
            (user_id,),
        )
        states = consent_states(connection, [user_id])
    return Holder(
        token=token,
        notification_id=str(notification_id),
        user_id=user_id,
        type=message_type(name),
        addresses={
            Channel(channel): mask(unseal(sealed, place=ADDRESS_PLACE, row=point_id))
            for point_id, channel, sealed in points
        },
        allowed=frozenset(
            (channel, purpose)
            for channel in Channel
            for purpose in Purpose
            if (state := states.get((user_id, channel, purpose))) is None or state.granted
        ),
    )
