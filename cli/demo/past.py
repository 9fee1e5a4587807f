"""Sixty days of messages before the demo, so that flows and pages have something to look at."""

from datetime import datetime, timedelta
from uuid import UUID

import orjson

from core.crypto import content_hash
from core.database import transaction
from core.sealing import seal
from core.settings import settings
from core.statements import rows
from delivery.catalog import catalog
from delivery.intake import PAYLOAD_PLACE

DAYS = 60
SEED = 7
APART = timedelta(hours=25)
"""The past ends a day before the demo, so that nobody's daily limit is used up."""


def load(now: datetime) -> int:
    """Write the past of everybody in the database, unless there is one; the number of notifications."""
    with transaction() as connection:
        if rows(connection, "SELECT EXISTS (SELECT FROM notifications)")[0][0]:
            return 0
    from analytics.history import write_history

    written = write_history(
        settings().database_url.get_secret_value(), days=DAYS, until=now - APART, seed=SEED, payload=_payload
    )
    return written.notifications


def _payload(notification_id: UUID, message_type: str) -> tuple[bytes, bytes]:
    plain = orjson.dumps(dict(catalog()[message_type].example))
    return seal(plain, place=PAYLOAD_PLACE, row=notification_id), content_hash(plain)
