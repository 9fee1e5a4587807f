"""Telling the people who run this: every alarm once, by a message of our own and by a webhook (a pager's, a chat's).

The message is a critical one to users named in `MINGUS_OPERATORS`: it takes the same way as every other, so that it is
as lossless, and it falls back to mail. The webhook stands beside it for the day on which that way is what is broken.
Once is kept by the alarm's id: as idempotency key of the message, as key in Redis for the webhook.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import httpx

from core.database import transaction
from core.redis import client
from core.settings import settings
from core.statements import rows
from delivery import Refused, Request, accept_many

TYPE = "critical_financial"
TEMPLATE = "MINGUS operations: {message}"
LONGEST = 400
FRESH = timedelta(hours=1)
"""Alarms that are older and still open have been told."""
TOLD_SECONDS = 7 * 24 * 60 * 60
ANSWER_SECONDS = 5.0

OPEN = """
SELECT id, name, subject, sentence, raised_at FROM alarms WHERE ended_at IS NULL AND raised_at > %s ORDER BY raised_at
"""


@dataclass(frozen=True, slots=True)
class OpenAlarm:
    """An alarm that has not ended: what (`name`), where (`subject`), and its sentence for people."""

    id: UUID
    name: str
    subject: str
    sentence: str
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """How many messages to operators are new, how many webhooks were taken, and what could not be told and why."""

    messages: int = 0
    posted: int = 0
    failed: tuple[str, ...] = ()


def fresh_alarms(now: datetime) -> list[OpenAlarm]:
    """Open alarms of the last hour, of every kind and whoever raised them."""
    with transaction() as connection:
        return [OpenAlarm(*row) for row in rows(connection, OPEN, (now - FRESH,))]


def tell(alarms: Sequence[OpenAlarm], *, now: datetime) -> Told:
    """Tells each alarm to every operator and to the webhook, once however often it is called."""
    if not alarms:
        return Told()
    messages, refused = _by_message(alarms, now)
    posted, unanswered = _by_webhook(alarms)
    return Told(messages, posted, (*refused, *unanswered))


def _by_message(alarms: Sequence[OpenAlarm], now: datetime) -> tuple[int, list[str]]:
    requests = [
        Request(
            user_id=operator,
            message_type=TYPE,
            payload={"template": TEMPLATE, "message": alarm.sentence[:LONGEST], "urgency": "high"},
            idempotency_key=f"alarm:{alarm.id}:{operator}",
        )
        for alarm in alarms
        for operator in sorted(settings().operators)
    ]
    results = accept_many(requests, now=now) if requests else []
    refused = {each.request.user_id: each.error for each in results if isinstance(each, Refused)}
    new = sum(not isinstance(each, Refused) and each.is_new for each in results)
    return new, [f"operator {user}: {type(error).__name__}" for user, error in sorted(refused.items())]


def _by_webhook(alarms: Sequence[OpenAlarm]) -> tuple[int, list[str]]:
    url, posted = settings().alarm_webhook, 0
    if not url:
        return 0, []
    for alarm in alarms:
        key = f"mingus:alarms:posted:{alarm.id}"
        if client().exists(key):
            continue
        body = {
            "id": str(alarm.id), "alarm": alarm.name, "subject": alarm.subject, "text": alarm.sentence,
            "raised_at": alarm.raised_at.isoformat(),
        }  # fmt: skip
        try:
            httpx.post(url, json=body, timeout=ANSWER_SECONDS).raise_for_status()
        except httpx.HTTPError as error:
            return posted, [
                f"webhook: {type(error).__name__}"
            ]  # the next run, five minutes later, tries again
        client().set(key, 1, ex=TOLD_SECONDS)
        posted += 1
    return posted, []
