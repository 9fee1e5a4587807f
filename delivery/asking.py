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

Known = Mapping[str, Sequence[Sequence[Any]]]
"""Part of the question → its rows: the columns in the part's order, as JSON shows them (bytea and instants are text)."""

PARTS: Mapping[str, str] = {
    "people": """
        SELECT json_build_array(id, time_zone, state, country, locale, paused_until, quiet_from, quiet_until,
               erased_at IS NOT NULL, name_sealed) AS told
        FROM users WHERE id = ANY(%(users)s::text[])""",
    "points": """
        SELECT json_build_array(user_id, channel, id, address_sealed, address_index, country, region, zones,
               domain) AS told
        FROM contact_points
        WHERE user_id = ANY(%(users)s::text[]) AND channel = ANY(%(channels)s) AND is_primary ORDER BY created_at""",
    # The latest row of the ledger is the state; a withdrawal that is being completed (`delivery.opt_out`) outranks it.
    "consents": """
        SELECT DISTINCT ON (user_id, channel, purpose)
               json_build_array(user_id, channel, purpose, id, action = 'grant', level, confirmed) AS told FROM (
            SELECT user_id, channel, purpose, id, action, level, confirmed, at FROM consents
            WHERE user_id = ANY(%(users)s::text[]) AND channel = ANY(%(channels)s) AND purpose = ANY(%(purposes)s)
            UNION ALL
            SELECT user_id, channel, purpose, id, 'withdraw', 'none', true, now() FROM pending_withdrawals
            WHERE user_id = ANY(%(users)s::text[]) AND channel = ANY(%(channels)s)
            AND purpose = ANY(%(purposes)s)) AS said
        ORDER BY user_id, channel, purpose, at DESC, id DESC""",
    "preferences": """
        SELECT json_build_array(user_id, category, channel, enabled, minimum_amount::text, paused_until, digest,
               weekly_cap, preferred_from, preferred_until) AS told
        FROM preferences WHERE user_id = ANY(%(users)s::text[]) AND channel = ANY(%(channels)s)""",
    "suppressions": """
        SELECT json_build_array(s.channel, s.address_index, s.reason) AS told FROM contact_points c
        JOIN suppressions s ON s.channel = c.channel AND s.address_index = c.address_index
        WHERE c.user_id = ANY(%(users)s::text[]) AND c.channel = ANY(%(channels)s) AND c.is_primary
        AND s.score >= 1 AND (s.until IS NULL OR s.until > now())""",
    "history": """
        SELECT json_build_array(user_id, message_type, sent_at) AS told FROM notifications
        WHERE user_id = ANY(%(capped)s::text[]) AND sent_at > %(since)s ORDER BY sent_at""",
    "texted": """
        SELECT json_build_array(u.id, t.name) AS told FROM unnest(%(users)s::text[]) AS u (id)
        CROSS JOIN unnest(%(programmes)s::text[]) AS t (name) WHERE EXISTS (SELECT FROM notifications n
            WHERE n.user_id = u.id AND n.sent_at IS NOT NULL AND n.channel = 'sms' AND n.message_type = t.name)""",
    "past": """
        SELECT json_build_array(notification_id, channel, provider, outcome, closes) AS told FROM attempts
        WHERE notification_id = ANY(%(tried)s::uuid[]) ORDER BY id""",
}
_QUESTION = "SELECT json_build_object({})::text".format(
    ", ".join(f"'{name}', (SELECT json_agg(told) FROM ({sql}) AS part)" for name, sql in PARTS.items())  # noqa: S608  constants of ours
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
            "users": _text_array(users),
            "channels": [str(each) for each in channels],
            "purposes": [str(each) for each in purposes],
            "capped": _text_array(capped),
            "tried": id_array(tried),
            "since": since,
            "programmes": list(programmes),
        },
    )
    found: dict[str, Sequence[Sequence[Any]] | None] = orjson.loads(answer[0][0])
    return {name: part or () for name, part in found.items()}


def _text_array(texts: Collection[str]) -> str:
    """The texts as PostgreSQL writes an array; adapted one by one they would cost both sides more than the answer."""
    inside = '","'.join([each.replace("\\", "\\\\").replace('"', '\\"') for each in texts])
    return f'{{"{inside}"}}' if texts else "{}"


def octets(text: str) -> bytes:
    """A bytea, which JSON shows as hexadecimal digits after two signs of their own."""
    return bytes.fromhex(text[2:])


def instant(text: str | None) -> datetime | None:
    """A timestamp with time zone."""
    return None if text is None else datetime.fromisoformat(text)


def clock(text: str | None) -> time | None:
    """A time of day."""
    return None if text is None else time.fromisoformat(text)
