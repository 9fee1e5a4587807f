"""Attempts whose end nobody here knows: found again from their rows, and repeated where a repeat is safe."""

import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from core.clock import utc_now
from core.settings import settings
from core.statements import Row, rows
from core.vocabulary import Channel, ErrorClass, OutcomeKind, Urgency
from delivery import health
from delivery.catalog import message_type
from delivery.messages import Outcome, Transmission
from delivery.providers import provider
from delivery.routing import Route
from delivery.sealed_calls import Content, open_call
from delivery.settlement import Sent, health_of, settle_surely
from delivery.transmission import callback_root, transmit

SAME_KEY_FOR = timedelta(hours=23)
"""How long an idempotent provider surely remembers a key (Resend: 24 h)."""
NOBODYS_FENCE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """An attempt that was opened and whose outcome is not known."""

    sent: Sent
    opened_at: datetime
    contact_point_id: UUID
    content: Content | None
    """What it carried; None when that has been erased."""

    @property
    def repeatable(self) -> bool:
        """True when the same call may be made again: the provider knows the key, we know the bytes, and it has time.

        A repeat may be the first that the provider hears of it: what has expired must not leave by it.
        """
        now = utc_now()
        return (
            provider(self.sent.route.provider).idempotent
            and self.content is not None
            and self.opened_at > now - SAME_KEY_FOR
            and self.sent.expires_at > now
        )

    @property
    def is_given_up(self) -> bool:
        """True for a critical message that has been in doubt for MINGUS_UNKNOWN_GIVE_UP_SECONDS."""
        in_doubt = (utc_now() - self.opened_at).total_seconds()
        return self.sent.type.urgency is Urgency.CRITICAL and in_doubt > settings().unknown_give_up_seconds


def interrupted_calls(connection: Connection, taken: Collection[UUID]) -> list[list[Interrupted]]:
    """The calls of these notifications that were not settled, each with all members of its batch in their order.

    Members that are not among `taken` are somebody else's to move: they come under a fence that nobody holds.
    """
    found = rows(
        connection,
        "WITH open AS (SELECT DISTINCT key FROM attempts WHERE notification_id = ANY(%s::uuid[]) AND closes = ''"
        "  AND (closed_at IS NULL OR outcome = 'unknown'))"
        " SELECT a.id, n.id, n.user_id, n.message_type, n.fence, n.tries, a.channel, a.provider, a.units,"
        " COALESCE(c.domain, ''), c.address_index, n.expires_at, a.key, a.opened_at, a.rendered_sealed,"
        " a.cost_estimate, a.contact_point_id"
        " FROM open JOIN attempts a ON a.key = open.key JOIN notifications n ON n.id = a.notification_id"
        " LEFT JOIN contact_points c ON c.id = a.contact_point_id ORDER BY a.key, a.position",
        ([str(each) for each in taken],),
    )
    calls: dict[str, list[Row]] = defaultdict(list)
    for row in found:
        calls[row[12]].append(row)
    return [_members(call, taken) for call in calls.values()]


def _members(call: Sequence[Row], taken: Collection[UUID]) -> list[Interrupted]:
    first = call[0]
    contents: Sequence[Content | None] = open_call(first[14], first[0]) if first[14] is not None else ()
    if len(contents) != len(call):  # erased, or not all members are there: it can't be the same call any more
        contents = [None] * len(call)
    return [
        Interrupted(
            sent=Sent(
                attempt_id=r[0], notification_id=r[1], user_id=r[2], type=message_type(r[3]),
                fence=r[4] if r[1] in taken else NOBODYS_FENCE, tries=r[5], route=Route(Channel(r[6]), r[7]),
                key=r[12], units=r[8], cost_estimate=r[15], domain=r[9], address_index=bytes(r[10] or b""),
                expires_at=r[11], opened_at=r[13],
            ),
            opened_at=r[13],
            contact_point_id=r[16],
            content=content,
        )
        for r, content in zip(call, contents, strict=True)
    ]  # fmt: skip


def repeat(calls: Sequence[Sequence[Interrupted]]) -> None:
    """Make the same calls again, same keys, same bytes, and settle what they answer."""
    members = [each for call in calls for each in call]
    if not members:
        return
    deadline = time.monotonic() + settings().lease_seconds * 0.8
    answers = transmit(
        [(each.sent.route.provider, _transmission(each, deadline)) for each in members], deadline=deadline
    )
    sent = [each.sent for each in members]
    health.record(health_of(sent, answers))
    settle_surely(sent, as_said_of_the_first(answers), resolved_by="repeat")


def as_said_of_the_first(answers: Mapping[UUID, Outcome]) -> dict[UUID, Outcome]:
    """What the answers to a repeat say about the first call.

    A taken one is proof, and so is a refusal of the message itself: a taken message's key would have been answered
    with the first answer. Whatever hinders the repeat (a limit, the network, the account, the first call still being
    worked on) leaves the first call as unknown as it was.
    """
    return {
        attempt_id: answer
        if answer.kind is OutcomeKind.ACCEPTED
        or (answer.kind is OutcomeKind.REFUSED_FOR_GOOD and not answer.misconfigured)
        else replace(
            answer,
            kind=OutcomeKind.UNKNOWN,
            error_class=ErrorClass.TRANSIENT_NETWORK,
            code="repeat_" + answer.code,
        )
        for attempt_id, answer in answers.items()
    }


def _transmission(each: Interrupted, deadline: float) -> Transmission:
    if each.content is None:
        raise ValueError("only what is `repeatable` can be repeated")
    address, message = each.content
    sent = each.sent
    return Transmission(
        attempt_id=sent.attempt_id,
        notification_id=sent.notification_id,
        message_type=sent.type.name,
        address=address,
        message=message,
        key=sent.key,
        callback_root=callback_root(sent.route.provider),
        expires_at=sent.expires_at,
        send_before=deadline,
    )
