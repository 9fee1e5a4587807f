"""What people write to us: an opt-out is obeyed before it is answered, doubtful words go to a person.

Whoever takes a message out (the web app at once, or the worker that finds it left behind) writes it down first and
marks it handled last, so that it is handled once and never lost.

One confirmation, and only ours or the carrier's: Twilio answers STOP, START and HELP itself where it has judged the
text (`OptOutType`), and blocks our answer to a STOP (21610) where it has only blocked the number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection

from core.database import transaction
from core.ids import new_id
from core.sealing import seal
from core.settings import settings
from core.statements import execute, rows
from core.vocabulary import Channel, ConsentLevel, Purpose
from delivery import callbacks, consents, opt_out, suppressions
from delivery.consents import ConsentEntry
from delivery.keywords import Intent, Reading, classify, revocation_scope
from delivery.loading import consent_states
from delivery.messages import DeliveryEvent
from delivery.providers import provider
from delivery.suppressions import SuppressionRequest

ADDRESS_PLACE = "inbound_messages.address"
TEXT_PLACE = "inbound_messages.text"
PATIENCE = 8.0
"""Seconds that a sender may wait for the answer: Twilio hangs up after 15."""

JUDGED_BY_CARRIER: Mapping[str, Intent] = {
    "STOP": Intent.OPT_OUT,
    "START": Intent.OPT_IN,
    "HELP": Intent.HELP,
}
"""Twilio's `OptOutType` → the intent; it has been answered already."""

CONFIRM_OPT_OUT = (
    "MINGUS: You are opted out and will get no more texts from us. Reply START to get them again."
)
CONFIRM_OPT_IN = (
    "MINGUS: You get texts from us again: account alerts, reminders and check-ins. Msg frequency varies."
    " Msg & data rates may apply. Reply HELP for help, STOP to cancel."
)
HELP = (
    "MINGUS: account alerts, bill reminders and check-ins that you signed up for. Msg frequency varies."
    " Msg & data rates may apply. Contact: {contact}. Reply STOP to cancel."
)
"""CTIA Messaging Principles 5.1.2: brand, purpose, frequency, cost, contact, how to stop. One or two GSM-7 segments."""


OPTED_OUT = "opted_out"
BY_REPLY = frozenset({"reply", "opt_out"})
"""Methods of withdrawals that a START takes back: a reply to us, or the carrier's word for it."""

ENDS: Mapping[Channel, tuple[Purpose, ...]] = {
    Channel.SMS: tuple(Purpose),
    Channel.EMAIL: (Purpose.MARKETING, Purpose.WELLNESS),
}
"""What an opt-out by reply ends on its channel, unless the person says "all"."""


class Result(StrEnum):
    """What handling a message came to."""

    DONE = "done"
    UNDER_WAY = "under_way"
    NOTHING_TO_DO = "nothing_to_do"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message from a person, written down."""

    id: UUID
    channel: Channel
    index: bytes
    reading: Reading
    at: datetime
    users: Sequence[str]
    source: str


def handle(event: DeliveryEvent) -> str:
    """Do what a person asks; the text to answer them with, empty for none.

    A message that was handled before is not handled or answered again.
    """
    event = callbacks.storable(event)
    channel = provider(event.provider).channel
    judged = JUDGED_BY_CARRIER.get(str(event.raw.get("OptOutType", "")))
    reading = Reading(judged, "carrier") if judged else classify(event.text)
    with transaction() as connection:
        received = _write_down(connection, event, channel, reading)
        if received is None:
            callbacks.finish_inbound(connection, event, "repeated")
            return ""
    result = ACTIONS[reading.intent](received)
    with transaction() as connection:
        execute(
            connection,
            "UPDATE inbound_messages SET handled_at = now(), result = %s WHERE id = %s",
            (result, received.id),
        )
        callbacks.finish_inbound(connection, event, str(reading.intent))
    if judged or result is not Result.DONE or channel is not Channel.SMS:
        return ""
    return ANSWERS.get(reading.intent, "").format(contact=parseaddr(settings().resend_from)[1])


def handle_waiting(*, limit: int) -> int:
    """Handle what was left behind by whoever received it; nobody waits for an answer any more."""
    with transaction() as connection:
        events = callbacks.take(connection, inbound=True, limit=limit)
    for event in events.values():
        handle(event)
    return len(events)


def withdraw_all(received: Received) -> Result:
    """End what the channel's opt-out ends, for every user with the address.

    One number sends all our texts and the carrier blocks it as a whole, so that a STOP ends all of them even before
    the law asks for it (`revocation_scope`, noted with the evidence). A mail ends what stands on consent.
    """
    if not received.users:  # a number that we may be given later
        with transaction() as connection:
            suppressions.suppress(
                connection,
                [
                    SuppressionRequest(
                        channel=received.channel,
                        address_index=received.index,
                        reason=OPTED_OUT,
                        source="reply",
                    )
                ],
            )
        return Result.DONE
    scope = revocation_scope(received.reading, received.at)
    purposes = tuple(Purpose) if received.reading.says_all else ENDS[received.channel]
    with transaction() as connection:
        states = consent_states(connection, received.users)
    ending = [
        ConsentEntry(
            user_id=user_id, channel=received.channel, purpose=purpose, granted=False, method="reply",
            wording=received.reading.matched, source=f"{received.source} scope:{scope}",
        )
        for user_id in received.users
        for purpose in purposes
        if (state := states.get((user_id, received.channel, purpose))) is None or state.granted
    ]  # fmt: skip
    if not ending:
        return Result.NOTHING_TO_DO
    return Result.DONE if opt_out.withdraw(ending, patience=PATIENCE) else Result.UNDER_WAY


def grant_again(received: Received) -> Result:
    """Give back what an opt-out by reply ended, as express consent: START is no new written agreement."""
    with transaction() as connection:
        again = _ended_by_reply(connection, received)
        consents.record(connection, again)
        lifted = suppressions.lift(connection, received.channel, received.index, reason=OPTED_OUT)
    return Result.DONE if again or lifted else Result.NOTHING_TO_DO


def answer_help(received: Received) -> Result:  # noqa: ARG001  every action takes the message
    """Help is always given."""
    return Result.DONE


def leave(received: Received) -> Result:  # noqa: ARG001  every action takes the message
    """A message for a person, or for nobody."""
    return Result.NOTHING_TO_DO


ACTIONS: Mapping[Intent, Callable[[Received], Result]] = {
    Intent.OPT_OUT: withdraw_all,
    Intent.OPT_IN: grant_again,
    Intent.HELP: answer_help,
    Intent.REVIEW: leave,
    Intent.NOTHING: leave,
}
ANSWERS: Mapping[Intent, str] = {
    Intent.OPT_OUT: CONFIRM_OPT_OUT,
    Intent.OPT_IN: CONFIRM_OPT_IN,
    Intent.HELP: HELP,
}


def _write_down(
    connection: Connection, event: DeliveryEvent, channel: Channel, reading: Reading
) -> Received | None:
    index = suppressions.index_of(channel, event.address)
    message_id = new_id()
    written = rows(
        connection,
        "INSERT INTO inbound_messages AS m (id, channel, provider, event_key, address_index, address_sealed, text_sealed,"
        " intent, matched, at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (provider, event_key) DO UPDATE SET at = m.at WHERE m.handled_at IS NULL RETURNING id, at",
        (
            message_id, channel, event.provider, event.event_key, index or b"",
            seal(event.address, place=ADDRESS_PLACE, row=message_id), seal(event.text, place=TEXT_PLACE, row=message_id),
            reading.intent, reading.matched, event.at,
        ),
    )  # fmt: skip
    if not written:
        return None
    users = rows(
        connection,
        "SELECT user_id FROM contact_points WHERE channel = %s AND address_index = %s ORDER BY user_id",
        (channel, index or b""),
    )
    return Received(
        id=written[0][0],
        channel=channel,
        index=index or b"",
        reading=reading,
        at=written[0][1],
        users=[row[0] for row in users],
        source=f"{event.provider}:{event.reference}",
    )


def _ended_by_reply(connection: Connection, received: Received) -> list[ConsentEntry]:
    found = rows(
        connection,
        "SELECT DISTINCT ON (user_id, purpose) user_id, purpose, method, action FROM ("
        "SELECT user_id, purpose, method, action, at, id FROM consents WHERE user_id = ANY(%(users)s)"
        "  AND channel = %(channel)s UNION ALL SELECT user_id, purpose, method, 'withdraw', now(), id"
        "  FROM pending_withdrawals WHERE user_id = ANY(%(users)s) AND channel = %(channel)s"
        ") AS said ORDER BY user_id, purpose, at DESC, id DESC",
        {"users": list(received.users), "channel": received.channel},
    )
    return [
        ConsentEntry(
            user_id=user_id, channel=received.channel, purpose=Purpose(purpose), granted=True, method="reply",
            level=ConsentLevel.EXPRESS, wording=received.reading.matched, source=received.source,
        )
        for user_id, purpose, method, action in found
        if action == "withdraw" and method in BY_REPLY
    ]  # fmt: skip
