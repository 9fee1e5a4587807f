"""The five helpers that the specification names: the pipeline's own parts, behind plain arguments."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from core.clock import utc_now
from core.database import transaction
from core.errors import InvalidRequest, UnknownUser
from core.ids import new_id
from core.statements import rows
from core.vocabulary import Channel, EventKind
from delivery import costs, ledger
from delivery.candidates import candidate_for
from delivery.catalog import message_type as catalog_row
from delivery.content import substitute
from delivery.ledger import Fact
from delivery.loading import NAME_PLACE, load_facts
from delivery.messages import DeliveryEvent
from delivery.policies import judge
from delivery.policies.base import VerdictKind
from delivery.receipts import apply_waiting, receive
from delivery.throttle import TokenAnswer, TokenRequest


def validate_user_preferences(user_id: str, channel: str, alert_type: str) -> tuple[bool, str]:
    """(may this be sent now, why not): consent, suppression, preferences, hours and frequency, without spending a token.

    UnknownUser, UnknownMessageType, or InvalidRequest for an unknown channel.
    """
    way, row, now = _channel(channel), catalog_row(alert_type), utc_now()
    with transaction() as connection:
        facts, points = load_facts(connection, [user_id], now)
    if user_id not in facts.users:
        raise UnknownUser("user_id", f"no user {user_id!r}")
    point = points.get((user_id, way))
    if point is None:
        return False, "no_contact_point"
    candidate = candidate_for(row, user_id, point, notification_id=new_id(), now=now)
    (verdict,) = judge([candidate], facts, now, _free_of_charge)
    return verdict.kind is VerdictKind.ALLOW, verdict.reason


def track_communication_cost(
    user_id: str, channel: str, message_type: str, success: bool, *, units: int = 1
) -> Decimal:
    """Book what `units` cost with the day's totals of the type and the person; the USD booked (0 for a failure).

    For messages that did not go through this pipeline: those that did are booked by it.
    """
    way, row, now = _channel(channel), catalog_row(message_type), utc_now()
    price = costs.estimate(way, units, on=now.date()) if success else Decimal(0)
    with transaction() as connection:
        ledger.record_facts(
            connection,
            [
                Fact(
                    at=now, kind="sent" if success else "failed", channel=way, provider="", user_id=user_id,
                    message_type=row.name, price=price,
                )
            ],
        )  # fmt: skip
    return price


def log_delivery_status(  # noqa: PLR0917  the specification gives the order
    user_id: str, channel: str, message_type: str, message_id: str, status: str, error_message: str = ""
) -> bool:
    """Record what became of a message, as a provider's callback would; True when it was matched to one of ours.

    `message_id` is our notification's id; `status` one of core.vocabulary.EventKind.
    """
    way = _channel(channel)
    try:
        kind, notification_id = EventKind(status), UUID(message_id)
    except ValueError:
        raise InvalidRequest(
            "status / message_id", f"give a notification's id and one of {', '.join(EventKind)}"
        ) from None
    attempt = _last_attempt(user_id, way, message_type, notification_id)
    if attempt is None:
        return False
    return _tell(attempt, kind, code=error_message)


def handle_failed_delivery(user_id: str, channel: str, message_type: str, error_message: str) -> bool:
    """Treat the person's last message of this type on this channel as undelivered: fallback, retry or dead letter.

    True when there was such a message.
    """
    attempt = _last_attempt(user_id, _channel(channel), message_type, None)
    return attempt is not None and _tell(attempt, EventKind.FAILED, code=error_message)


def generate_personalized_content(
    user_id: str, template: str, personalization_data: Mapping[str, Any]
) -> str:
    """The template with its names filled from the data and the person's own name; names only, nothing is evaluated.

    UnknownUser, InvalidTemplate, or MissingVariable naming what the data lacks.
    """
    from core.sealing import unseal

    with transaction() as connection:
        found = rows(connection, "SELECT name_sealed FROM users WHERE id = %s", (user_id,))
    if not found:
        raise UnknownUser("user_id", f"no user {user_id!r}")
    name = unseal(found[0][0], place=NAME_PLACE, row=user_id) if found[0][0] is not None else ""
    return substitute(template, {"name": name, "first_name": name.partition(" ")[0], **personalization_data})


def _channel(name: str) -> Channel:
    try:
        return Channel(name)
    except ValueError:
        raise InvalidRequest("channel", f"{name!r} is none of {', '.join(Channel)}") from None


def _free_of_charge(requests: Sequence[TokenRequest]) -> list[TokenAnswer]:
    return [TokenAnswer(0.0) for _ in requests]


def _last_attempt(
    user_id: str, channel: Channel, name: str, notification_id: UUID | None
) -> tuple[UUID, str, str] | None:
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT a.id, a.provider, a.reference FROM attempts a JOIN notifications n ON n.id = a.notification_id"
            " WHERE n.user_id = %s AND n.message_type = %s AND a.channel = %s AND (%s::uuid IS NULL OR n.id = %s)"
            " ORDER BY a.id DESC LIMIT 1",
            (user_id, catalog_row(name).name, channel, notification_id, notification_id),
        )
    return (found[0][0], found[0][1], found[0][2]) if found else None


def _tell(attempt: tuple[UUID, str, str], kind: EventKind, *, code: str) -> bool:
    attempt_id, provider, reference = attempt
    receive(
        [
            DeliveryEvent(
                provider=provider, kind=kind, event_key=f"told:{attempt_id}:{kind}", at=utc_now(), reference=reference,
                attempt_id=attempt_id, code=code[:80],
            )
        ]
    )  # fmt: skip
    apply_waiting()
    return True
