"""Accepting: validate, dedupe, insert. Durable when it returns; nothing is half accepted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import orjson

from core.clock import as_utc, utc_now
from core.crypto import content_hash
from core.database import DATABASE_AWAY, autocommitting
from core.errors import IdempotencyConflict, InvalidRequest, NotAccepted, UnknownUser
from core.ids import new_id
from core.sealing import seal
from core.steps import in_steps
from core.values import value
from delivery import ledger
from delivery.catalog import MessageType, message_type
from delivery.content import validate_all

MOST_CHARACTERS = 255
"""Of a user's id, an idempotency key, a campaign."""
PAYLOAD_PLACE = "notifications.payload"
SCHEDULED = "scheduled"
"""The reason of what was accepted for a later time, until it is judged."""


@value(frozen=True, slots=True, kw_only=True)
class Request:
    """One wish to say something to somebody.

    `deliver_after` (aware) postpones it; `expires_at` shortens the type's lifetime; the same `idempotency_key` with
    the same content is accepted once; `campaign` groups a batch.
    """

    user_id: str
    message_type: str
    payload: Mapping[str, Any]
    idempotency_key: str | None = None
    deliver_after: datetime | None = None
    expires_at: datetime | None = None
    campaign: str | None = None


@value(frozen=True, slots=True)
class Accepted:
    """The notification that stands for a request; `is_new` is False when its key had been accepted before."""

    notification_id: UUID
    is_new: bool


@value(frozen=True, slots=True)
class Refused:
    """A request of a batch that could not be accepted, and why; the others are not touched by it."""

    request: Request
    error: InvalidRequest | IdempotencyConflict


def accept(request: Request, *, relay_after: float = 0.0, now: datetime | None = None) -> Accepted:
    """The committed notification of one request; InvalidRequest and its kin, IdempotencyConflict, or NotAccepted.

    `relay_after` seconds is how long the relay leaves it to a caller that publishes by itself.
    """
    result = accept_many([request], relay_after=relay_after, now=now)[0]
    if isinstance(result, Refused):
        raise result.error
    return result


def accept_many(
    requests: Sequence[Request], *, relay_after: float = 0.0, now: datetime | None = None
) -> list[Accepted | Refused]:
    """One result per request, in order, all accepted ones committed by one statement; NotAccepted without a database.

    Requests that are not valid come back as Refused and never hinder the others.
    """
    at = now or utc_now()
    problems = validate_all(in_steps(requests, _named, error=InvalidRequest))
    sound = [problem or request for request, problem in zip(requests, problems, strict=True)]
    drafts = in_steps(sound, partial(_draft, now=at), error=InvalidRequest)
    try:
        with autocommitting() as connection:
            instead = ledger.insert(
                connection,
                [each for each in drafts if isinstance(each, ledger.Draft)],
                relay_after=relay_after,
            )
    except DATABASE_AWAY as error:
        raise NotAccepted(
            "the database did not confirm the notification: try again, with an idempotency_key so that it can't be stored twice"
        ) from error
    return [_result(request, draft, instead) for request, draft in zip(requests, drafts, strict=True)]


def _result(
    request: Request, draft: ledger.Draft | InvalidRequest, instead: Mapping[UUID, ledger.Older | None]
) -> Accepted | Refused:
    if isinstance(draft, InvalidRequest):
        return Refused(request, draft)
    if not instead or draft.id not in instead:
        return Accepted(draft.id, is_new=True)
    older = instead[draft.id]
    if older is None:
        return Refused(request, UnknownUser("user_id", f"no user {draft.user_id!r}"))
    if older.content_hash != draft.content_hash:
        return Refused(
            request,
            IdempotencyConflict(
                f"idempotency_key: {draft.idempotency_key!r} was accepted with other content; use a new key"
            ),
        )
    return Accepted(older.id, is_new=False)


def _named(request: Request) -> tuple[MessageType, Mapping[str, Any]]:
    """The type of a request whose words can be stored, and its payload."""
    row = message_type(request.message_type)
    _check_word("user_id", request.user_id)
    if not isinstance(request.payload, Mapping):
        raise InvalidRequest(
            row.payload, f"must be an object of names and values, not {type(request.payload).__name__}"
        )
    for name, word in (("idempotency_key", request.idempotency_key), ("campaign", request.campaign)):
        if word is not None:
            _check_word(name, word)
    return row, request.payload


def _draft(request: Request, now: datetime) -> ledger.Draft:
    row = message_type(request.message_type)
    plain = orjson.dumps(dict(request.payload), default=str, option=orjson.OPT_SORT_KEYS)
    deliver_after, expires_at = _times(request, row, now)
    notification_id = new_id()
    return ledger.Draft(
        id=notification_id,
        user_id=request.user_id,
        message_type=row.name,
        lane=row.lane,
        payload_sealed=seal(plain, place=PAYLOAD_PLACE, row=notification_id),
        content_hash=content_hash(b"\x00".join([request.user_id.encode(), row.name.encode(), plain])),
        idempotency_key=request.idempotency_key,
        campaign=request.campaign,
        deliver_after=deliver_after,
        expires_at=expires_at,
        reason=SCHEDULED if deliver_after > now else "",
    )


def _check_word(field: str, word: object) -> None:
    if not isinstance(word, str) or not 0 < len(word) <= MOST_CHARACTERS:
        raise InvalidRequest(field, f"must be a text of 1 to {MOST_CHARACTERS} characters")
    if not word.isprintable():
        raise InvalidRequest(field, "must not hold control characters, line ends or lone surrogates")


def _times(request: Request, row: MessageType, now: datetime) -> tuple[datetime, datetime]:
    try:
        deliver_after = as_utc(request.deliver_after) if request.deliver_after else now
        expires_at = (
            as_utc(request.expires_at) if request.expires_at else max(deliver_after, now) + row.lifetime
        )
    except ValueError as error:
        raise InvalidRequest("deliver_after / expires_at", str(error)) from None
    if expires_at <= deliver_after:
        raise InvalidRequest("expires_at", "lies before the message is due: it could never be sent")
    return deliver_after, expires_at
