"""One question to PostgreSQL for everything that is known about a batch's people, and one answer, as JSON.

Eight statements would be eight round trips: for a live alert they cost more than what they ask for, and for a batch
the driver's conversion of each cell costs more than parsing the whole (docs/decisions/0020-speed.md).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, time
from typing import Any

import orjson
from sqlalchemy import Connection

from core.statements import Prepared, rows
from core.vocabulary import Channel, Purpose
from delivery.ledger.claims import HELD, Claimed, held_by

Known = Mapping[str, Sequence[Any]]
"""Part of the question → its rows: the columns in the part's order, as JSON shows them (bytea and instants are text)."""

PARTS: Mapping[str, str] = {
    "people": """
        SELECT json_build_array(id, time_zone, state, country, locale, paused_until, quiet_from, quiet_until,
               erased_at IS NOT NULL, name_sealed) AS told
        FROM users WHERE id = ANY($1::text[])""",
    "points": """
        SELECT json_build_array(user_id, channel, id, address_sealed, address_index, country, region, zones,
               domain) AS told
        FROM contact_points
        WHERE user_id = ANY($1::text[]) AND channel = ANY($2::text[]) AND is_primary ORDER BY created_at""",
    # The latest row of the ledger is the state; a withdrawal that is being completed (`delivery.opt_out`) outranks it.
    "consents": """
        SELECT DISTINCT ON (user_id, channel, purpose)
               json_build_array(user_id, channel, purpose, id, action = 'grant', level, confirmed) AS told FROM (
            SELECT user_id, channel, purpose, id, action, level, confirmed, at FROM consents
            WHERE user_id = ANY($1::text[]) AND channel = ANY($2::text[]) AND purpose = ANY($3::text[])
            UNION ALL
            SELECT user_id, channel, purpose, id, 'withdraw', 'none', true, now() FROM pending_withdrawals
            WHERE user_id = ANY($1::text[]) AND channel = ANY($2::text[])
            AND purpose = ANY($3::text[])) AS said
        ORDER BY user_id, channel, purpose, at DESC, id DESC""",
    "preferences": """
        SELECT json_build_array(user_id, category, channel, enabled, minimum_amount::text, paused_until, digest,
               weekly_cap, preferred_from, preferred_until) AS told
        FROM preferences WHERE user_id = ANY($1::text[]) AND channel = ANY($2::text[])""",
    # LATERAL with a LIMIT looks each one up: by a join or EXISTS, PostgreSQL would rather read once through all that
    # was ever sent, or suppressed, while there is little of it, and the plan stays when there is much. The newest text is
    # looked for because its pages are in memory anyway.
    "suppressions": """
        SELECT json_build_array(c.channel, c.address_index, s.reason) AS told FROM contact_points c
        CROSS JOIN LATERAL (SELECT reason FROM suppressions WHERE channel = c.channel
            AND address_index = c.address_index AND score >= 1 AND (until IS NULL OR until > now()) LIMIT 1) AS s
        WHERE c.user_id = ANY($1::text[]) AND c.channel = ANY($2::text[]) AND c.is_primary""",
    "history": """
        SELECT json_build_array(user_id, message_type, sent_at) AS told FROM notifications
        WHERE user_id = ANY($4::text[]) AND sent_at > $5::timestamptz ORDER BY sent_at""",
    "texted": """
        SELECT json_build_array(u.id, t.name) AS told FROM unnest($1::text[]) AS u (id)
        CROSS JOIN unnest($6::text[]) AS t (name) CROSS JOIN LATERAL (SELECT FROM notifications n
            WHERE n.user_id = u.id AND n.sent_at IS NOT NULL AND n.channel = 'sms' AND n.message_type = t.name
            ORDER BY n.sent_at DESC LIMIT 1) AS one""",
    "held": HELD.format(ids="$7", fences="$8", lease_until="$9"),
}
_QUESTION = Prepared(
    "ask",
    "SELECT json_build_object({})::text".format(
        ", ".join(f"'{name}', (SELECT json_agg(told) FROM ({sql}) AS part)" for name, sql in PARTS.items())  # noqa: S608  constants of ours
    ),
)


def ask(
    connection: Connection,
    *,
    users: Collection[str],
    channels: Iterable[Channel],
    purposes: Iterable[Purpose],
    capped: Collection[str] = (),
    since: datetime | None = None,
    programmes: Collection[str] = (),
    claimed: Sequence[Claimed] = (),
) -> Known:
    """What is known of `users` on `channels` for `purposes`.

    Also the sends of `capped` users since then, who has been sent a text of the message types in `programmes` before,
    and the places of those that are `held` (`ledger.HELD`) among the claimed.
    """
    answer = rows(
        connection,
        _QUESTION,
        (
            _text_array(users),
            _text_array([str(each) for each in channels]),
            _text_array([str(each) for each in purposes]),
            _text_array(capped),
            since,
            _text_array(programmes),
            *held_by(claimed),
        ),
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
