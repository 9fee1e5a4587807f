"""Attempts whose end nobody here knows: found again from their rows, and repeated where a repeat is safe."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from core.clock import utc_now
from core.database import rows, transaction
from core.settings import settings
from core.vocabulary import Channel
from delivery import health
from delivery.catalog import message_type
from delivery.messages import RenderedMessage, Transmission
from delivery.providers import provider
from delivery.routing import Route
from delivery.settlement import Sent, health_of, settle
from delivery.transmission import open_rendering, transmission_of, transmit

SAME_KEY_FOR = timedelta(hours=23)
"""How long an idempotent provider surely remembers a key (Resend: 24 h)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """An attempt that was opened and whose outcome is not known; `sent.fence` is the next fence of its row."""

    sent: Sent
    key: str
    opened_at: datetime
    rendered_sealed: bytes | None

    @property
    def repeatable(self) -> bool:
        """True when the same call may be made again: the provider knows the key and we know the bytes."""
        return (
            provider(self.sent.route.provider).idempotent
            and self.rendered_sealed is not None
            and self.opened_at > utc_now() - SAME_KEY_FOR
        )

    def rendering(self) -> tuple[str, RenderedMessage]:
        """(address, message) as they were sent."""
        return open_rendering(self.rendered_sealed or b"", self.sent.attempt_id)


def interrupted_attempts(connection: Connection, notification_ids: Sequence[UUID]) -> list[Interrupted]:
    """The unsettled attempts of these notifications, with all members of their batches, in the batches' order."""
    found = rows(
        connection,
        "WITH open AS (SELECT DISTINCT key FROM attempts WHERE notification_id = ANY(%s::uuid[]) AND closes = ''"
        "  AND (closed_at IS NULL OR outcome = 'unknown'))"
        " SELECT a.id, n.id, n.user_id, n.message_type, n.fence + 1, n.tries, a.channel, a.provider, a.units, c.domain,"
        " c.address_index, n.expires_at, a.key, a.opened_at, a.rendered_sealed"
        " FROM open JOIN attempts a ON a.key = open.key JOIN notifications n ON n.id = a.notification_id"
        " JOIN contact_points c ON c.id = a.contact_point_id ORDER BY a.key, a.position",
        ([str(each) for each in notification_ids],),
    )
    return [
        Interrupted(
            sent=Sent(
                attempt_id=r[0], notification_id=r[1], user_id=r[2], type=message_type(r[3]), fence=r[4], tries=r[5],
                route=Route(Channel(r[6]), r[7]), units=r[8], domain=r[9], address_index=bytes(r[10]),
                expires_at=r[11],
            ),
            key=r[12], opened_at=r[13], rendered_sealed=bytes(r[14]) if r[14] is not None else None,
        )
        for r in found
    ]  # fmt: skip


def repeat(interrupted: Sequence[Interrupted]) -> None:
    """Make the same calls again, same keys, same bytes, and settle what they answer."""
    if not interrupted:
        return
    deadline = time.monotonic() + settings().lease_seconds * 0.8
    outcomes = transmit(
        [(each.sent.route.provider, _transmission(each)) for each in interrupted], deadline=deadline
    )
    sent = [each.sent for each in interrupted]
    good_and_bad, misconfigured = health_of(sent, outcomes)
    health.record(good_and_bad, misconfigured=misconfigured)
    with transaction() as connection:
        settle(connection, sent, outcomes, now=utc_now(), resolved_by="repeat")


def _transmission(each: Interrupted) -> Transmission:
    address, message = each.rendering()
    return transmission_of(
        attempt_id=each.sent.attempt_id,
        notification_id=each.sent.notification_id,
        message_type=each.sent.type.name,
        provider_name=each.sent.route.provider,
        address=address,
        message=message,
        key=each.key,
        expires_at=each.sent.expires_at,
    )
