"""What events of providers mean for people: addresses that are not written to any more, and consents that end."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from core.vocabulary import Channel, ErrorClass, EventKind
from delivery import opt_out, suppressions
from delivery.messages import DeliveryEvent
from delivery.refusals import revocation
from delivery.suppressions import SuppressionRequest

REASONS: Mapping[EventKind, str] = {
    EventKind.BOUNCED_HARD: "hard_bounce",
    EventKind.COMPLAINED: "complaint",
    EventKind.SUPPRESSED: "hard_bounce",
}
"""Events that suppress the address at once → the reason on the list."""

COMPLAINED_BEFORE = "previous_complaint"
"""Resend's word for an address that it holds back because of an earlier complaint."""

STRIKES: Mapping[str, float] = {"30005": 0.5, "30047": 0.0, "30410": 0.0}
"""Codes with a score of their own, in place of suppression at once: an unknown handset may come back, and a provider's
own delay says nothing about the address."""
SOFT_BOUNCE = 0.34
"""The score of a soft bounce: the third within a short time suppresses."""

NOT_THE_ADDRESS = frozenset({ErrorClass.CAPACITY, ErrorClass.CONTENT_POLICY, ErrorClass.PROVIDER_ACCOUNT})
"""Failures that say nothing about the address."""

OPT_OUTS = frozenset({EventKind.COMPLAINED, EventKind.UNSUBSCRIBED})
PROOFS = frozenset({EventKind.DELIVERED, EventKind.OPENED, EventKind.CLICKED})
"""Events that prove that the address works: its score begins anew."""


def protect(
    connection: Connection,
    found: Sequence[tuple[DeliveryEvent, str, Channel, bytes]],
    now: datetime,
    *,
    repeated: Collection[str] = (),
) -> None:
    """Suppress, score and hold for (event, user id or "", channel, address index); holds are completed by `opt_out`.

    A message that is sent again is one strike however often it fails: `repeated` are the keys of its later failures.
    """
    suppressions.suppress(
        connection,
        [
            SuppressionRequest(
                channel=channel,
                address_index=index,
                reason="complaint"
                if event.code == COMPLAINED_BEFORE
                else REASONS.get(event.kind, "invalid_address"),
                source="delivery_event",
                provider=event.provider,
                note=event.code,
            )
            for event, _, channel, index in found
            if _suppresses(event)
        ],
    )
    suppressions.forget_score(
        connection, [(channel, index) for event, _, channel, index in found if event.kind in PROOFS]
    )
    for event, _, channel, index in found:
        if event.event_key not in repeated and (score := _score(event)):
            suppressions.add_score(connection, channel, index, score, provider=event.provider, now=now)
    ended = [
        entry
        for event, user_id, channel, _ in found
        if user_id and (event.revoke_consent or event.kind in OPT_OUTS)
        for entry in revocation(user_id, channel, source=str(event.kind))
    ]
    opt_out.hold(connection, ended)


def _suppresses(event: DeliveryEvent) -> bool:
    return event.code not in STRIKES and (event.suppress_address or event.kind in REASONS)


def _score(event: DeliveryEvent) -> float:
    if event.code in STRIKES:
        return STRIKES[event.code]
    soft = event.kind is EventKind.BOUNCED_SOFT and event.error_class not in NOT_THE_ADDRESS
    return SOFT_BOUNCE if soft else 0.0
