"""From a plan to provider calls: render, seal, group into calls, and (after a crash) rebuild what was sealed."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

import orjson

from core.errors import InvalidRequest
from core.ids import new_id
from core.models import SealedBytes, seal, unseal
from core.settings import settings
from core.stopping import is_stopping
from core.vocabulary import Urgency
from delivery import call_pace, costs, keys
from delivery.catalog import message_type
from delivery.ledger import OpenAttempt
from delivery.loading import Batch, Work
from delivery.messages import LEASE_OVER, Attachment, Outcome, RenderedMessage, Transmission
from delivery.planning import Planned
from delivery.providers import provider
from delivery.rendering import render_for

RENDERED_PLACE = "attempts.rendered"
NO_TURN = replace(LEASE_OVER, detail="no turn at the provider's pace")


@dataclass(frozen=True, slots=True)
class Prepared:
    """One attempt, rendered and ready to be opened and then transmitted."""

    planned: Planned
    attempt: OpenAttempt
    transmission: Transmission


def prepare(
    batch: Batch, planned: Sequence[Planned], *, now: datetime
) -> tuple[list[Prepared], list[tuple[Work, InvalidRequest]]]:
    """Render all; those whose content can't be rendered come back with the reason and hinder nobody."""
    drafts: list[tuple[Planned, RenderedMessage, UUID]] = []
    broken: list[tuple[Work, InvalidRequest]] = []
    for each in planned:
        try:
            drafts.append((each, render_for(batch, each.work, each.route.channel, now), new_id()))
        except InvalidRequest as error:
            broken.append((each.work, error))
    prepared: list[Prepared] = []
    for members in _calls(drafts):
        shared = keys.batch_key([attempt_id for _, _, attempt_id in members]) if len(members) > 1 else None
        for position, (each, message, attempt_id) in enumerate(members):
            key = shared or keys.attempt_key(attempt_id)
            number = len(batch.past.get(each.work.id, ())) + 1
            prepared.append(
                _prepared(each, message, attempt_id, place=(key, position), number=number, on=now.date())
            )
    return prepared, broken


def transmit(transmissions: Sequence[tuple[str, Transmission]], *, deadline: float) -> dict[UUID, Outcome]:
    """Call the providers: (provider name, transmission) pairs in; attempt id → outcome out.

    What could not be started before `deadline` (time.monotonic()) is not sent: another worker may hold it by then.
    """
    outcomes: dict[UUID, Outcome] = {}
    alone: dict[str, list[Transmission]] = defaultdict(list)
    together: dict[tuple[str, str], list[Transmission]] = defaultdict(list)
    for name, given in transmissions:
        transmission = replace(given, send_before=deadline)
        if provider(name).batch_size > 1:
            together[name, transmission.key].append(transmission)
        else:
            alone[name].append(transmission)
    calls = [(name, "", members) for name, members in alone.items()]
    calls += [(name, key, members) for (name, key), members in together.items()]
    for name, key, members in calls:
        if time.monotonic() > deadline or is_stopping():
            outcomes.update({each.attempt_id: LEASE_OVER for each in members})
            continue
        if not call_pace.await_turn(
            name, holder=members[0].attempt_id.hex, urgent=_urgent(members), until=deadline
        ):
            outcomes.update({each.attempt_id: NO_TURN for each in members})
            continue
        answers = provider(name).transmit(members, key=key)
        call_pace.learn(name)
        outcomes.update({each.attempt_id: answer for each, answer in zip(members, answers, strict=True)})
    return outcomes


def _urgent(members: Sequence[Transmission]) -> bool:
    return any(message_type(each.message_type).urgency is Urgency.CRITICAL for each in members)


def sealed_rendering(message: RenderedMessage, address: str, attempt_id: UUID) -> SealedBytes:
    """What an idempotent repeat needs to be the same to the byte: message and address, sealed to the attempt."""
    plain = orjson.dumps(
        {
            "address": address,
            "channel": message.channel,
            "body": message.body,
            "units": message.units,
            "subject": message.subject,
            "html": message.html,
            "headers": dict(message.headers),
            "template": message.template,
            "attachments": [
                {
                    "filename": a.filename,
                    "type": a.content_type,
                    "id": a.content_id,
                    "content": a.content.hex(),
                }
                for a in message.attachments
            ],
        }
    )
    return seal(plain, place=RENDERED_PLACE, row=attempt_id)


def open_rendering(sealed: bytes, attempt_id: UUID) -> tuple[str, RenderedMessage]:
    """(address, message) of `sealed_rendering`."""
    data = orjson.loads(unseal(sealed, place=RENDERED_PLACE, row=attempt_id))
    attachments = tuple(
        Attachment(a["filename"], a["type"], bytes.fromhex(a["content"]), a["id"])
        for a in data.pop("attachments")
    )
    address = data.pop("address")
    return address, RenderedMessage(attachments=attachments, **data)


def transmission_of(
    *,
    attempt_id: UUID,
    notification_id: UUID,
    message_type: str,
    provider_name: str,
    address: str,
    message: RenderedMessage,
    key: str,
    expires_at: datetime,
) -> Transmission:
    """The transmission of an attempt; the callback URL carries the attempt's id."""
    return Transmission(
        attempt_id=attempt_id,
        notification_id=notification_id,
        message_type=message_type,
        address=address,
        message=message,
        key=key,
        callback_url=f"{settings().public_base_url}/webhooks/{provider_name}/status/{attempt_id}",
        expires_at=expires_at,
        tags={
            "attempt_id": str(attempt_id),
            "notification_id": str(notification_id),
            "message_type": message_type,
        },
    )


_Draft = tuple[Planned, RenderedMessage, UUID]


def _calls(drafts: Sequence[_Draft]) -> list[list[_Draft]]:
    """Group the drafts into the calls that will carry them: a provider's batches, and the rest one by one."""
    waiting: Mapping[str, list[_Draft]] = defaultdict(list)
    calls: list[list[_Draft]] = []
    for draft in drafts:
        name = draft[0].route.provider
        if provider(name).batch_size > 1 and not draft[1].attachments:
            waiting[name].append(draft)
        else:
            calls.append([draft])
    for name, members in waiting.items():
        size = provider(name).batch_size
        calls += [members[start : start + size] for start in range(0, len(members), size)]
    return calls


def _prepared(
    planned: Planned,
    message: RenderedMessage,
    attempt_id: UUID,
    *,
    place: tuple[str, int],
    number: int,
    on: date,
) -> Prepared:
    key, position = place
    work, route = planned.work, planned.route
    address = planned.contact_point.address()
    return Prepared(
        planned=planned,
        attempt=OpenAttempt(
            id=attempt_id,
            notification_id=work.id,
            fence=work.claimed.fence,
            number=number,
            channel=route.channel,
            provider=route.provider,
            contact_point_id=planned.contact_point.id,
            key=key,
            position=position,
            template=message.template,
            rendered_sealed=sealed_rendering(message, address, attempt_id),
            units=message.units,
            cost_estimate=costs.estimate(
                route.channel,
                message.units,
                on=on,
                provider=route.provider,
                country=planned.contact_point.country,
            ),
        ),
        transmission=transmission_of(
            attempt_id=attempt_id,
            notification_id=work.id,
            message_type=work.type.name,
            provider_name=route.provider,
            address=address,
            message=message,
            key=key,
            expires_at=work.claimed.expires_at,
        ),
    )
