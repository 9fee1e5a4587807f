"""One question to PostgreSQL for everything that is known about a batch's people, and one answer, as JSON.

Eight statements would be eight round trips: for a live alert they cost more than what they ask for, and for a batch
the driver's conversion of each cell costs more than parsing the whole (docs/decisions/0020-speed.md).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, time
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection

from core.ids import id_array
from core.statements import rows
from core.vocabulary import Channel, Purpose

Known = Mapping[str, Sequence[Mapping[str, Any]]]
"""Part of the question → its rows, as PostgreSQL writes them in JSON (bytea and instants are text)."""

PARTS: Mapping[str, str] = {
    "people": """
        SELECT id, time_zone, state, country, locale, paused_until, quiet_from, quiet_until,
               erased_at IS NOT NULL AS erased, name_sealed
        FROM users WHERE id = ANY(%(users)s)""",
    "points": """
        SELECT id, user_id, channel, address_sealed, address_index, country, region, zones, domain
        FROM contact_points WHERE user_id = ANY(%(users)s) AND channel = ANY(%(channels)s) AND is_primary
        ORDER BY created_at""",
    # The latest row of the ledger is the state; a withdrawal that is being completed (`delivery.opt_out`) outranks it.
    "consents": """
        SELECT DISTINCT ON (user_id, channel, purpose) * FROM (
            SELECT user_id, channel, purpose, id, action, level, lawful_basis, confirmed, at FROM consents
            WHERE user_id = ANY(%(users)s) AND channel = ANY(%(channels)s) AND purpose = ANY(%(purposes)s)
            UNION ALL
            SELECT user_id, channel, purpose, id, 'withdraw', 'none', 'consent', true, now() FROM pending_withdrawals
            WHERE user_id = ANY(%(users)s) AND channel = ANY(%(channels)s) AND purpose = ANY(%(purposes)s)) AS said
        ORDER BY user_id, channel, purpose, at DESC, id DESC""",
    "preferences": """
        SELECT user_id, category, channel, enabled, minimum_amount::text, paused_until, digest, weekly_cap,
               preferred_from, preferred_until
        FROM preferences WHERE user_id = ANY(%(users)s) AND channel = ANY(%(channels)s)""",
    "suppressions": """
        SELECT DISTINCT s.channel, s.address_index, s.reason FROM contact_points c
        JOIN suppressions s ON s.channel = c.channel AND s.address_index = c.address_index
        WHERE c.user_id = ANY(%(users)s) AND c.channel = ANY(%(channels)s) AND c.is_primary
        AND s.score >= 1 AND (s.until IS NULL OR s.until > now())""",
    "history": """
        SELECT user_id, message_type, sent_at FROM notifications
        WHERE user_id = ANY(%(capped)s) AND sent_at > %(since)s ORDER BY sent_at""",
    "texted": """
        SELECT u.id AS user_id, t.name AS message_type FROM unnest(%(users)s) AS u (id)
        CROSS JOIN unnest(%(programmes)s::text[]) AS t (name) WHERE EXISTS (SELECT FROM notifications n
            WHERE n.user_id = u.id AND n.sent_at IS NOT NULL AND n.channel = 'sms' AND n.message_type = t.name)""",
    "past": """
        SELECT notification_id, channel, provider, outcome, closes FROM attempts
        WHERE notification_id = ANY(%(tried)s::uuid[]) ORDER BY id""",
}
_QUESTION = "SELECT json_build_object({})::text".format(
    ", ".join(f"'{name}', (SELECT json_agg(part) FROM ({sql}) AS part)" for name, sql in PARTS.items())  # noqa: S608  constants of ours
)


def ask(
    connection: Connection,
    *,
    users: Collection[str],
    channels: Iterable[Channel],
    purposes: Iterable[Purpose],
    capped: Collection[str],
    tried: Collection[UUID],
    since: datetime | None,
    programmes: Collection[str] = (),
) -> Known:
    """What is known of `users` on `channels` for `purposes`.

    Also the sends of `capped` users since then, the earlier attempts of the notifications that were `tried`, and who
    has been sent a text of the message types in `programmes` before.
    """
    answer = rows(
        connection,
        _QUESTION,
        {
            "users": list(users),
            "channels": [str(each) for each in channels],
            "purposes": [str(each) for each in purposes],
            "capped": list(capped),
            "tried": id_array(tried),
            "since": since,
            "programmes": list(programmes),
        },
    )
    found: dict[str, Sequence[Mapping[str, Any]] | None] = orjson.loads(answer[0][0])
    return {name: part or () for name, part in found.items()}


def octets(text: str) -> bytes:
    """A bytea, which JSON shows as hexadecimal digits after two signs of their own."""
    return bytes.fromhex(text[2:])


def instant(text: str | None) -> datetime | None:
    """A timestamp with time zone."""
    return None if text is None else datetime.fromisoformat(text)


def clock(text: str | None) -> time | None:
    """A time of day."""
    return None if text is None else time.fromisoformat(text)
