"""The only writer of notification state, attempts and delivery events.

Every move is one conditional UPDATE built from `delivery.lifecycle`; a writer whose claim was taken over (fenced)
changes nothing. Statements work on sets: one message is a set of one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from core.database import as_json, execute, insert_rows, rows
from core.ids import new_id
from core.models import SealedBytes
from core.vocabulary import Channel, ErrorClass, OutcomeKind, State
from delivery.lifecycle import FINAL, sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A notification about to be accepted."""

    id: UUID
    user_id: str
    message_type: str
    lane: str
    payload_sealed: SealedBytes
    content_hash: bytes
    idempotency_key: str | None
    campaign: str | None
    deliver_after: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A notification that this process may work on until `lease_until`, under `fence`."""

    id: UUID
    user_id: str
    message_type: str
    payload_sealed: bytes
    created_at: datetime
    expires_at: datetime
    fence: int
    claims: int
    tries: int
    possible_duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempt:
    """An attempt as it is written before the provider is called."""

    id: UUID
    notification_id: UUID
    fence: int
    number: int
    channel: Channel
    provider: str
    contact_point_id: UUID
    key: str
    position: int
    template: str
    rendered_sealed: SealedBytes | None
    units: int
    cost_estimate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedAttempt:
    """What became of an attempt."""

    id: UUID
    outcome: OutcomeKind
    reference: str = ""
    code: str = ""
    error_class: ErrorClass | None = None
    detail: str = ""
    closes: str = ""
    units: int | None = None
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where a claimed notification goes next; `tried` counts a try against its retries."""

    id: UUID
    fence: int
    target: State
    reason: str = ""
    deliver_after: datetime | None = None
    channel: Channel | None = None
    provider: str | None = None
    cost: Decimal = Decimal(0)
    tried: bool = False
    possible_duplicate: bool = False
    evidence: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A delivery event as it is written."""

    at: datetime
    kind: str
    channel: str
    provider: str
    notification_id: UUID | None = None
    attempt_id: UUID | None = None
    user_id: str | None = None
    message_type: str = ""
    code: str = ""
    error_class: str = ""
    domain: str = ""
    is_machine: bool = False
    price: Decimal | None = None
    id: UUID = field(default_factory=new_id)


def known_users(connection: Connection, user_ids: Collection[str]) -> set[str]:
    """Those of `user_ids` that exist and are not erased."""
    found = rows(
        connection, "SELECT id FROM users WHERE id = ANY(%s) AND erased_at IS NULL", (list(user_ids),)
    )
    return {user_id for (user_id,) in found}


def insert(
    connection: Connection, drafts: Sequence[Draft], *, relay_after: float
) -> dict[UUID, tuple[UUID, bytes]]:
    """Insert all; draft id → (id, content hash) of the row that stands for it, an older one where the key was known."""
    if not drafts:
        return {}
    values = [
        (
            d.id, d.user_id, d.message_type, d.lane, d.payload_sealed, d.content_hash, d.idempotency_key, d.campaign,
            d.deliver_after, d.deliver_after, relay_after, d.expires_at,
        )
        for d in drafts
    ]  # fmt: skip
    inserted = insert_rows(
        connection,
        "INSERT INTO notifications (id, user_id, message_type, lane, payload_sealed, content_hash, idempotency_key,"
        " campaign, deliver_after, publish_after, expires_at) VALUES %s"
        " ON CONFLICT (idempotency_key) DO NOTHING RETURNING id",
        values,
        template="(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::timestamptz + make_interval(secs => %s), %s)",
    )
    new = {row[0] for row in inserted}
    result = {d.id: (d.id, d.content_hash) for d in drafts if d.id in new}
    repeated = {d.id: d.idempotency_key for d in drafts if d.id not in new}
    if repeated:
        older = rows(
            connection,
            "SELECT idempotency_key, id, content_hash FROM notifications WHERE idempotency_key = ANY(%s)",
            (list(set(repeated.values())),),
        )
        by_key = {key: (notification_id, bytes(digest)) for key, notification_id, digest in older}
        result.update({draft_id: by_key[key] for draft_id, key in repeated.items()})
    return result


def claim(connection: Connection, ids: Collection[UUID], *, lease_seconds: int) -> list[Claimed]:
    """Take those of `ids` that are due and free; another worker's and already settled ones are left out."""
    found = rows(
        connection,
        "WITH free AS (SELECT id FROM notifications WHERE id = ANY(%s::uuid[]) AND state = 'accepted'"
        "  AND deliver_after <= now() FOR UPDATE SKIP LOCKED)"
        " UPDATE notifications n SET state = 'claimed', fence = n.fence + 1, claims = n.claims + 1,"
        "  lease_until = now() + make_interval(secs => %s), updated_at = now()"
        " FROM free WHERE n.id = free.id"
        " RETURNING n.id, n.user_id, n.message_type, n.payload_sealed, n.created_at, n.expires_at, n.fence, n.claims,"
        "  n.tries, n.possible_duplicate",
        ([str(each) for each in ids], lease_seconds),
    )
    return [
        Claimed(
            id=r[0], user_id=r[1], message_type=r[2], payload_sealed=bytes(r[3]), created_at=r[4], expires_at=r[5],
            fence=r[6], claims=r[7], tries=r[8], possible_duplicate=r[9],
        )
        for r in found
    ]  # fmt: skip


def open_attempts(connection: Connection, attempts: Sequence[OpenAttempt]) -> None:
    """Write the intent to call a provider; commit before calling."""
    insert_rows(
        connection,
        "INSERT INTO attempts (id, notification_id, fence, number, channel, provider, contact_point_id, key, position,"
        " template, rendered_sealed, units, cost_estimate) VALUES %s",
        [
            (
                a.id, a.notification_id, a.fence, a.number, a.channel, a.provider, a.contact_point_id, a.key,
                a.position, a.template, a.rendered_sealed, a.units, a.cost_estimate,
            )
            for a in attempts
        ],
    )  # fmt: skip


def close_attempts(connection: Connection, closed: Sequence[ClosedAttempt], *, resolved_by: str) -> set[UUID]:
    """Close those that are still open; the ids that this call has closed."""
    if not closed:
        return set()
    found = insert_rows(
        connection,
        "UPDATE attempts a SET closed_at = clock_timestamp(), outcome = v.outcome, reference = v.reference,"
        " code = v.code, error_class = v.error_class, detail = v.detail, closes = v.closes,"
        " units = COALESCE(v.units, a.units), cost = v.cost, resolved_by = v.resolved_by"
        " FROM (VALUES %s) AS v (id, outcome, reference, code, error_class, detail, closes, units, cost, resolved_by)"
        " WHERE a.id = v.id AND (a.closed_at IS NULL OR (a.outcome = 'unknown' AND v.outcome <> 'unknown'))"
        " RETURNING a.id",
        [
            (
                c.id, c.outcome, c.reference, c.code, c.error_class or "", c.detail[:500], c.closes, c.units, c.cost,
                resolved_by,
            )
            for c in closed
        ],
        template="(%s, %s, %s, %s, %s, %s, %s, %s::smallint, %s::numeric, %s)",
    )  # fmt: skip
    return {row[0] for row in found}


def move(connection: Connection, moves: Sequence[Move]) -> set[UUID]:
    """Move claimed notifications on; the ids that moved (a fenced or already settled one does not)."""
    if not moves:
        return set()
    found = insert_rows(
        connection,
        "UPDATE notifications n SET state = v.target, reason = v.reason, lease_until = NULL, claims = 0,"
        " deliver_after = COALESCE(v.deliver_after, n.deliver_after),"
        " publish_after = COALESCE(v.deliver_after, n.publish_after),"
        " channel = COALESCE(v.channel, n.channel), provider = COALESCE(v.provider, n.provider),"
        " cost = n.cost + v.cost, tries = n.tries + v.tried::int::smallint,"
        " possible_duplicate = n.possible_duplicate OR v.possible_duplicate,"
        " evidence = COALESCE(v.evidence, n.evidence), updated_at = now(),"
        " sent_at = CASE WHEN v.target = 'sent' THEN COALESCE(n.sent_at, now()) ELSE n.sent_at END,"
        " final_at = CASE WHEN v.is_final THEN now() END"
        " FROM (VALUES %s) AS v (id, fence, target, reason, deliver_after, channel, provider, cost, tried,"
        "  possible_duplicate, evidence, is_final)"
        " WHERE n.id = v.id AND n.state = 'claimed' AND n.fence = v.fence RETURNING n.id",
        [
            (
                m.id, m.fence, m.target, m.reason, m.deliver_after, m.channel, m.provider, m.cost, m.tried,
                m.possible_duplicate, as_json(m.evidence) if m.evidence is not None else None, m.target in FINAL,
            )
            for m in moves
        ],
        template="(%s, %s, %s, %s, %s::timestamptz, %s::text, %s::text, %s::numeric, %s, %s, %s::jsonb, %s)",
    )  # fmt: skip
    return {row[0] for row in found}


def move_by_proof(
    connection: Connection,
    ids: Sequence[UUID],
    target: State,
    *,
    reason: str = "",
    due: datetime | None = None,
) -> set[UUID]:
    """Move notifications because of what a provider said, from any state that may become `target`; those that moved."""
    if not ids:
        return set()
    found = rows(
        connection,
        "UPDATE notifications SET state = %(target)s, reason = %(reason)s, lease_until = NULL, claims = 0,"
        " deliver_after = COALESCE(%(due)s, deliver_after), publish_after = COALESCE(%(due)s, publish_after),"
        " sent_at = CASE WHEN %(handed)s THEN COALESCE(sent_at, now()) ELSE sent_at END,"
        " final_at = CASE WHEN %(final)s THEN COALESCE(final_at, now()) END, updated_at = now()"
        " WHERE id = ANY(%(ids)s::uuid[]) AND state = ANY(%(sources)s) RETURNING id",
        {
            "target": str(target), "reason": reason, "due": due, "ids": [str(each) for each in ids],
            "sources": [str(source) for source in sources(target)], "final": target in FINAL,
            "handed": target in {State.SENT, State.DELIVERED, State.BOUNCED, State.COMPLAINED},
        },
    )  # fmt: skip
    return {row[0] for row in found}


def record_facts(connection: Connection, facts: Sequence[Fact]) -> None:
    """Append delivery events."""
    insert_rows(
        connection,
        "INSERT INTO delivery_events (id, at, notification_id, attempt_id, user_id, channel, provider, message_type,"
        " kind, code, error_class, domain, is_machine, price) VALUES %s",
        [
            (
                f.id, f.at, f.notification_id, f.attempt_id, f.user_id, f.channel, f.provider, f.message_type, f.kind,
                f.code, f.error_class, f.domain, f.is_machine, f.price,
            )
            for f in facts
        ],
    )  # fmt: skip


def bury(connection: Connection, letters: Sequence[tuple[UUID, str, str, int, str]]) -> None:
    """Write dead letters: (notification, reason, error class, attempts, trace reference)."""
    insert_rows(
        connection,
        "INSERT INTO dead_letters (id, notification_id, reason, error_class, attempts, trace_reference) VALUES %s",
        [(new_id(), *letter) for letter in letters],
    )


def states(connection: Connection, ids: Collection[UUID]) -> dict[UUID, State]:
    """The present state of each id that exists."""
    found = rows(
        connection,
        "SELECT id, state FROM notifications WHERE id = ANY(%s::uuid[])",
        ([str(each) for each in ids],),
    )
    return {notification_id: State(state) for notification_id, state in found}


def complete_late(connection: Connection, moves: Sequence[Move]) -> None:
    """Record that a message was handed over although its claim was lost meanwhile (fenced, or outrun by a receipt)."""
    insert_rows(
        connection,
        "UPDATE notifications n SET cost = n.cost + v.cost, channel = v.channel, provider = v.provider,"
        " sent_at = COALESCE(n.sent_at, now()), updated_at = now()"
        " FROM (VALUES %s) AS v (id, channel, provider, cost) WHERE n.id = v.id",
        [(m.id, m.channel, m.provider, m.cost) for m in moves],
        template="(%s, %s::text, %s::text, %s::numeric)",
    )
    move_by_proof(connection, [m.id for m in moves], State.SENT)


def close_channel(connection: Connection, attempt_id: UUID) -> None:
    """Rule out the channel of an attempt for the rest of its notification's life."""
    execute(connection, "UPDATE attempts SET closes = 'channel' WHERE id = %s", (attempt_id,))


def other_live_attempts(connection: Connection, notification_id: UUID, attempt_id: UUID) -> bool:
    """True when another attempt of the notification is under way, was accepted, or may have been."""
    return bool(
        rows(
            connection,
            "SELECT FROM attempts WHERE notification_id = %s AND id <> %s AND closes = ''"
            " AND (closed_at IS NULL OR outcome IN ('accepted', 'unknown')) LIMIT 1",
            (notification_id, attempt_id),
        )
    )
