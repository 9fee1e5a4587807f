"""Digests: several messages of a person made one new notification, in the transaction that skips its parts.

The digest is of the most urgent part's type, so that consent, caps and limits of their common category hold for it; it
is judged, sent and retried like any other. Its payload brings its own template and names its parts.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import orjson

from core.crypto import content_hash
from core.errors import InvalidRequest
from core.ids import new_id
from core.sealing import seal
from core.vocabulary import Channel
from delivery.content import BRAND
from delivery.intake import PAYLOAD_PLACE
from delivery.ledger import Draft
from delivery.loading import Batch, Work
from delivery.policies.base import Verdict
from delivery.rendering import summary_for

GATHERED = "gathered"
"""The field of a payload that marks a digest: its parts' ids. A list, which no caller's payload may hold there."""


def made_of(
    batch: Batch, gathered: Sequence[tuple[Work, Channel, Verdict]], now: datetime
) -> tuple[list[Draft], list[tuple[Work, InvalidRequest]]]:
    """One new notification per digest that the verdicts name, due now; and the parts that can't be rendered."""
    parts: dict[str, list[tuple[Work, str]]] = defaultdict(list)
    broken: list[tuple[Work, InvalidRequest]] = []
    for work, channel, verdict in gathered:
        try:
            parts[str(verdict.evidence["digest"])].append((work, summary_for(batch, work, channel, now)))
        except InvalidRequest as error:
            broken.append((work, error))
    return [_draft(key, members, now) for key, members in parts.items()], broken


def _draft(key: str, parts: Sequence[tuple[Work, str]], now: datetime) -> Draft:
    first = min((work for work, _ in parts), key=lambda work: work.type.priority)
    payload = {
        "subject": f"{len(parts)} messages from {BRAND}",
        "template": "{parts}",
        "parts": "\n".join(f"- {line}" for _, line in parts),
        GATHERED: [str(work.id) for work, _ in parts],
    }
    plain = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
    draft_id, user_id = new_id(), first.claimed.user_id
    return Draft(
        id=draft_id,
        user_id=user_id,
        message_type=first.type.name,
        lane=first.type.lane,
        payload_sealed=seal(plain, place=PAYLOAD_PLACE, row=draft_id),
        content_hash=content_hash(b"\x00".join([user_id.encode(), first.type.name.encode(), plain])),
        idempotency_key=key,
        campaign=None,
        deliver_after=now,
        expires_at=now + first.type.lifetime,
    )
