"""Our suppression list and the provider's, brought together both ways: whoever knows of a bad address, both know.

Resend keeps such a list; Twilio and Amazon SNS keep opt-outs per sender that no API lists (they tell us by error 21610 and
by inbound STOP), and SES's account list is not asked for.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from core.database import transaction
from core.sealing import unseal
from core.statements import rows
from core.vocabulary import Channel
from delivery import audit, suppressions
from delivery.audit import Act
from delivery.loading import ADDRESS_PLACE
from delivery.providers import resend_suppressions
from delivery.suppressions import SuppressionRequest

SOURCE = "provider_list"
OURS_TO_TELL = ("hard_bounce", "complaint", "invalid_address", "manual")
"""Reasons that hold for all mail to an address; an opt-out is about ours and stays with us."""


@dataclass(frozen=True, slots=True)
class Synced:
    """How many addresses came to us, went to the provider, and left our list because they left theirs."""

    pulled: int
    pushed: int
    lifted: int


def sync() -> Synced:
    """Bring the lists together; NotAccepted when the provider can't be asked now."""
    theirs = {
        index: each.reason
        for each in resend_suppressions.listed()
        if (index := suppressions.index_of(Channel.EMAIL, each.address)) is not None
    }
    with transaction() as connection:
        ours = _ours(connection)
        gone = [index for index, source in ours.items() if source == SOURCE and index not in theirs]
        for index in gone:
            suppressions.lift(connection, Channel.EMAIL, index)
        new = {index: reason for index, reason in theirs.items() if index not in ours}
        suppressions.suppress(
            connection,
            [
                SuppressionRequest(
                    channel=Channel.EMAIL,
                    address_index=index,
                    reason=reason,
                    source=SOURCE,
                    provider="resend",
                )
                for index, reason in new.items()
            ],
        )
        to_tell = _addresses(
            connection, [index for index in ours if index not in theirs and index not in gone]
        )
    resend_suppressions.add(to_tell)
    return Synced(pulled=len(new), pushed=len(to_tell), lifted=len(gone))


def lift_everywhere(channel: Channel, address: str, index: bytes, *, actor: str, reason: str) -> bool:
    """Take an address off our list and the provider's, so that the next sync does not bring it back; whether we had it.

    Who did it, why, and what the mark was stand in the audit chain. NotAccepted when the provider did not take it off:
    ours then keeps it, too.
    """
    if channel is Channel.EMAIL:
        resend_suppressions.remove(address.strip().lower())
    with transaction() as connection:
        marks = rows(
            connection,
            "SELECT reason, source, at FROM suppressions WHERE channel = %s AND address_index = %s",
            (channel, index),
        )
        audit.append(
            connection,
            [
                Act(
                    actor=actor, action="suppression_lifted", subject=f"{channel}:{index.hex()}",
                    details={"reason": reason, "was": was, "source": source, "since": since},
                )
                for was, source, since in marks
            ],
        )  # fmt: skip
        return suppressions.lift(connection, channel, index)


def _ours(connection: Connection) -> dict[bytes, str]:
    found = rows(
        connection,
        "SELECT address_index, source FROM suppressions WHERE channel = %s AND reason = ANY(%s) AND score >= 1"
        " AND (until IS NULL OR until > now())",
        (Channel.EMAIL, list(OURS_TO_TELL)),
    )
    return {bytes(index): source for index, source in found}


def _addresses(connection: Connection, indexes: list[bytes]) -> list[str]:
    """The addresses behind blind indexes, for those that are still somebody's."""
    found = rows(
        connection,
        "SELECT DISTINCT ON (address_index) id, address_sealed FROM contact_points"
        " WHERE channel = %s AND address_index = ANY(%s) ORDER BY address_index",
        (Channel.EMAIL, indexes),
    )
    return [unseal(sealed, place=ADDRESS_PLACE, row=point_id) for point_id, sealed in found]
