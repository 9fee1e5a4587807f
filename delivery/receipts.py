"""What providers tell us later: store durably first, then match, record, move, react. Order and repetition don't matter.

callback ─verify▶ receive() = inbox rows ─▶ apply_waiting() = events, states, suppressions, opt-outs, fallback
(delivery.callbacks)                       (here, delivery.protection, delivery.inbound)
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from core.clock import utc_now
from core.database import after_commit, transaction
from core.statements import rows
from core.vocabulary import Channel, EventKind, OutcomeKind, State, Urgency
from delivery import booking, callbacks, health, inbound, ledger, opt_out, suppressions
from delivery.callbacks import receive
from delivery.catalog import message_type
from delivery.health import Calls
from delivery.ledger import ClosedAttempt, Fact
from delivery.lifecycle import EVENT_TARGETS
from delivery.messages import DeliveryEvent
from delivery.protection import REASONS, protect
from delivery.providers import provider
from delivery.reactions import retry_at

__all__ = ["apply_waiting", "receive"]

UNMATCHED_FOR = timedelta(hours=24)
"""How long an event of a message that we don't know (yet) is kept waiting: a callback can outrun the commit."""
ACCOUNT_NEWS = timedelta(minutes=5)
"""How fresh a word about an account of ours that does not work must be to open the provider's breaker."""
COMPLETING = 0.5
"""Seconds that one round waits for the withdrawals that are being completed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    attempt_id: UUID
    notification_id: UUID
    user_id: str
    message_type: str
    channel: Channel
    provider: str
    domain: str
    address_index: bytes
    tries: int
    expires_at: datetime


def apply_waiting(*, limit: int = 500, now: datetime | None = None) -> int:
    """Process what is due in the inbox, oldest first; how many events came to an end.

    What providers report is applied in one transaction, what people wrote one by one after it.
    """
    at = now or utc_now()
    with transaction() as connection:
        events = callbacks.take(connection, inbound=False, limit=limit)
        unmatched = _apply(connection, events, at) if events else set()
        callbacks.finish(
            connection,
            {
                each: "unrecognised" if event.kind is EventKind.UNRECOGNISED else "applied"
                for each, event in events.items()
                if each not in unmatched
            },
        )
        callbacks.keep_waiting(connection, unmatched, give_up_after=UNMATCHED_FOR)
    if len(events) < limit:
        opt_out.complete(patience=COMPLETING)
    handled = inbound.handle_waiting(limit=limit)
    return len(events) - len(unmatched) + handled


def _apply(connection: Connection, events: Mapping[UUID, DeliveryEvent], now: datetime) -> set[UUID]:
    """Apply the events; the ids of those whose message is not known (yet)."""
    matches = _match(connection, list(events.values()))
    unmatched: set[UUID] = set()
    matched: list[tuple[DeliveryEvent, _Match]] = []
    listed: list[tuple[DeliveryEvent, str, Channel, bytes]] = []
    for callback_id, event in sorted(events.items(), key=lambda item: item[1].at):
        found = _found(event, matches)
        if found is not None:
            matched.append((event, found))
        elif event.kind in REASONS and (not event.reference or event.at < now - UNMATCHED_FOR):
            # the provider's own list, or a message that is no longer kept: the address counts all the same
            channel = provider(event.provider).channel
            if index := suppressions.index_of(channel, event.address):
                listed.append((event, "", channel, index))
        elif event.kind is not EventKind.UNRECOGNISED:
            unmatched.add(callback_id)
    _close_unknown(connection, matched)
    _move(connection, matched, now)
    _open_breakers(connection, [event for event, _ in matched], now)
    ledger.record_facts(connection, [_fact(event, found) for event, found in matched])
    protect(
        connection,
        [(e, m.user_id, m.channel, m.address_index) for e, m in matched] + listed,
        now,
        repeated={e.event_key for e, m in matched if e.retries and m.tries},
    )
    return unmatched


def _match(connection: Connection, events: Sequence[DeliveryEvent]) -> dict[object, _Match]:
    found = rows(
        connection,
        "SELECT a.id, a.notification_id, n.user_id, n.message_type, a.channel, a.provider, c.domain, c.address_index,"
        " a.reference, n.tries, n.expires_at FROM attempts a JOIN notifications n ON n.id = a.notification_id"
        " JOIN contact_points c ON c.id = a.contact_point_id"
        " WHERE a.id = ANY(%s::uuid[]) OR (a.reference <> '' AND a.reference = ANY(%s))",
        (
            [str(each.attempt_id) for each in events if each.attempt_id],
            [each.reference for each in events if each.reference and not each.attempt_id],
        ),
    )
    matches: dict[object, _Match] = {}
    for r in found:
        match = _Match(
            attempt_id=r[0], notification_id=r[1], user_id=r[2], message_type=r[3], channel=Channel(r[4]),
            provider=r[5], domain=r[6], address_index=bytes(r[7]), tries=r[9], expires_at=r[10],
        )  # fmt: skip
        matches[match.attempt_id] = match
        if r[8]:
            matches[match.provider, r[8]] = match
    return matches


def _found(event: DeliveryEvent, matches: Mapping[object, _Match]) -> _Match | None:
    return matches.get(event.attempt_id) or matches.get((event.provider, event.reference))


def _close_unknown(connection: Connection, matched: Sequence[tuple[DeliveryEvent, _Match]]) -> None:
    """A receipt proves that its attempt reached the provider: an open or unknown one is closed by it."""
    proofs = {
        found.attempt_id: ClosedAttempt(
            id=found.attempt_id,
            outcome=OutcomeKind.ACCEPTED,
            reference=event.reference,
            charged=abs(event.price) if event.price is not None else None,
            units=event.units,
        )
        for event, found in matched
        if event.kind in EVENT_TARGETS
    }
    closed = ledger.close_attempts(connection, list(proofs.values()), resolved_by="receipt")
    if closed:
        ledger.mark_doubled(connection, {m.notification_id for _, m in matched if m.attempt_id in closed})
    real = {found.attempt_id: event.price for event, found in matched if event.price is not None}
    booking.book(connection, {**dict.fromkeys(closed), **real})


def _move(connection: Connection, matched: Sequence[tuple[DeliveryEvent, _Match]], now: datetime) -> None:
    """Move the notifications, all with the same target and code at once: the legal moves make their order irrelevant."""
    together: dict[tuple[State, str], list[_Match]] = defaultdict(list)
    for event, found in matched:
        target = EVENT_TARGETS.get(event.kind)
        if target is None:
            continue
        if target in {State.FAILED, State.BOUNCED} and _goes_on(connection, event, found, now):
            continue
        together[target, event.code].append(found)
    for (target, code), proven in together.items():
        ledger.move_by_proof(
            connection,
            [each.notification_id for each in proven],
            target,
            reason=code,
            said_of=[each.attempt_id for each in proven],
        )


def _goes_on(connection: Connection, event: DeliveryEvent, found: _Match, now: datetime) -> bool:
    """Send what did not arrive once more: later where its code is worth it, at once by the next way where it is urgent.

    True when the message is not at its end with this failure, also because another attempt of it lives.
    """
    again = _again_at(event, found, now)
    if again is None and not _may_fall_back(event, found):
        return False
    closes = "attempt" if again else "route" if event.misconfigured else "channel"
    if not ledger.end_attempt(connection, found.attempt_id, closes):
        return True
    if ledger.other_live_attempts(connection, found.notification_id, found.attempt_id):
        return True
    return bool(
        ledger.move_by_proof(
            connection,
            [found.notification_id],
            State.ACCEPTED,
            reason=event.code,
            due=again or now,
            tried=again is not None,
        )
    )


def _again_at(event: DeliveryEvent, found: _Match, now: datetime) -> datetime | None:
    """When to try the same way again; None when the code or the type does not allow it, or a critical one can't wait."""
    row = message_type(found.message_type)
    if row.urgency is Urgency.CRITICAL or found.tries >= min(event.retries, row.retries):
        return None
    at = retry_at(row, found.tries, now, retry_after=event.retry_after)
    return at if at < found.expires_at else None


def _may_fall_back(event: DeliveryEvent, found: _Match) -> bool:
    """Whether another way may be tried at once: any provider where it is our account, another channel where it is urgent."""
    row = message_type(found.message_type)
    return event.misconfigured or (
        row.urgency in {Urgency.CRITICAL, Urgency.URGENT}
        and sum(row.allows(channel) for channel in row.channels) > 1
    )


def _open_breakers(connection: Connection, events: Sequence[DeliveryEvent], now: datetime) -> None:
    """Take a provider out when it tells of accepted messages that our account, key or sender does not work."""
    broken = {
        event.provider: Calls(bad=1, broken=True)
        for event in events
        if event.misconfigured and event.at >= now - ACCOUNT_NEWS
    }
    if broken:
        after_commit(connection, lambda: health.record(broken))


def _fact(event: DeliveryEvent, found: _Match) -> Fact:
    return Fact(
        at=event.at, kind=event.kind, channel=found.channel, provider=found.provider,
        notification_id=found.notification_id, attempt_id=found.attempt_id, user_id=found.user_id,
        message_type=found.message_type, code=event.code, error_class=event.error_class or "", domain=found.domain,
        is_machine=event.is_machine,
    )  # fmt: skip
