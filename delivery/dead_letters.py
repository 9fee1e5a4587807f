"""Dead letters: what was given up, why, and the ways back. A replay goes through the whole pipeline again.

open ─┬─ replay  ▶ accepted: consent, suppression, hours and limits are judged anew, at a bounded pace
      ├─ discard ▶ settled: nobody will send it
      └─ (a receipt, a fallback) ▶ the notification has left DEAD by itself: the letter is no longer open

Every replay and discard is an entry of the audit chain. Doing it twice is doing it once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from core.clock import utc_now
from core.database import transaction
from core.statements import execute, insert_rows, rows
from delivery import audit
from delivery.audit import Act

REPLAYS_PER_MINUTE = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which open letters are meant; what is None does not matter."""

    reason: str | None = None
    error_class: str | None = None
    message_type: str | None = None
    since: datetime | None = None
    ids: Collection[UUID] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An open letter; `attempts` are tries of its notification, `trace_reference` names the log entry of a crash."""

    id: UUID
    notification_id: UUID
    message_type: str
    reason: str
    error_class: str
    attempts: int
    trace_reference: str
    at: datetime
    expires_at: datetime
    earlier: int
    """Letters that the same notification had before."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one letter: `due` when it is replayed (or discarded: None), `refused` says why not."""

    letter_id: UUID
    refused: str = ""
    due: datetime | None = None


def open_letters(wanted: Filter = Filter(), *, limit: int = 100) -> list[DeadLetter]:
    """The open letters, newest first."""
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT d.id, d.notification_id, n.message_type, d.reason, d.error_class, d.attempts, d.trace_reference,"
            " d.at, n.expires_at, (SELECT count(*) FROM dead_letters e WHERE e.notification_id = n.id AND e.id <> d.id)"
            " FROM dead_letters d JOIN notifications n ON n.id = d.notification_id"
            " WHERE d.settled_at IS NULL AND n.state = 'dead'"
            " AND (%(reason)s::text IS NULL OR starts_with(d.reason, %(reason)s))"
            " AND (%(error_class)s::text IS NULL OR d.error_class = %(error_class)s)"
            " AND (%(message_type)s::text IS NULL OR n.message_type = %(message_type)s)"
            " AND (%(since)s::timestamptz IS NULL OR d.at >= %(since)s)"
            " AND (%(ids)s::uuid[] IS NULL OR d.id = ANY(%(ids)s::uuid[])) ORDER BY d.at DESC LIMIT %(limit)s",
            {
                "reason": wanted.reason, "error_class": wanted.error_class, "message_type": wanted.message_type,
                "since": wanted.since, "limit": limit,
                "ids": None if wanted.ids is None else [str(each) for each in wanted.ids],
            },
        )  # fmt: skip
    return [
        DeadLetter(
            id=r[0], notification_id=r[1], message_type=r[2], reason=r[3], error_class=r[4], attempts=r[5],
            trace_reference=r[6], at=r[7], expires_at=r[8], earlier=r[9],
        )
        for r in found
    ]  # fmt: skip


def attempts_of(notification_id: UUID) -> list[dict[str, Any]]:
    """What was tried, oldest first: route, outcome and codes, no content."""
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT json_build_object('at', opened_at, 'channel', channel, 'provider', provider, 'outcome', outcome,"
            " 'code', code, 'error_class', error_class, 'detail', detail, 'resolved_by', resolved_by)"
            " FROM attempts WHERE notification_id = %s ORDER BY id",
            (notification_id,),
        )
    return [row[0] for row in found]


def replay(
    ids: Sequence[UUID],
    *,
    actor: str,
    per_minute: int = REPLAYS_PER_MINUTE,
    dry_run: bool = False,
    now: datetime | None = None,
) -> list[Decision]:
    """Give notifications a new life with all their retries; a decision per letter, in order.

    They fall due one after the other, `per_minute` of them. Refused: what is not open any more, what has expired or
    would before its turn, and what a provider may have (an attempt without a known end).
    """
    at = now or utc_now()
    with transaction() as connection:
        facts = _lock(connection, ids)
        decisions: list[Decision] = []
        turn = 0
        for letter_id in dict.fromkeys(ids):
            due = at + timedelta(minutes=turn / per_minute)
            refused = _objection(facts.get(letter_id), due)
            decisions.append(Decision(letter_id, refused) if refused else Decision(letter_id, due=due))
            turn += not refused
        going = [each for each in decisions if each.due]
        if going and not dry_run:
            _revive(connection, [(facts[each.letter_id].notification_id, each.due) for each in going])
            _settle(connection, [each.letter_id for each in going], "replayed", actor)
            _tell(connection, [facts[each.letter_id] for each in going], actor, "dead_letter.replay")
    return decisions


def discard(ids: Sequence[UUID], *, actor: str, why: str = "", dry_run: bool = False) -> list[Decision]:
    """Close letters for good: their notifications stay dead; a decision per letter, in order."""
    with transaction() as connection:
        facts = _lock(connection, ids)
        decisions = [
            Decision(each, "" if each in facts and facts[each].is_open else "not_open")
            for each in dict.fromkeys(ids)
        ]
        going = [each.letter_id for each in decisions if not each.refused]
        if going and not dry_run:
            _settle(connection, going, "discarded", actor)
            _tell(connection, [facts[each] for each in going], actor, "dead_letter.discard", why=why)
    return decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    letter_id: UUID
    notification_id: UUID
    reason: str
    is_open: bool
    expires_at: datetime
    in_doubt: bool


def _lock(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, _Facts]:
    """The letters with their notifications, held until the transaction ends; another's are left out."""
    found = rows(
        connection,
        "SELECT d.id, n.id, d.reason, d.settled_at IS NULL AND n.state = 'dead', n.expires_at,"
        " EXISTS (SELECT FROM attempts a WHERE a.notification_id = n.id AND a.closes = ''"
        "  AND (a.closed_at IS NULL OR a.outcome = 'unknown'))"
        " FROM dead_letters d JOIN notifications n ON n.id = d.notification_id WHERE d.id = ANY(%s::uuid[])"
        " FOR UPDATE OF d, n SKIP LOCKED",
        ([str(each) for each in ids],),
    )
    return {
        r[0]: _Facts(
            letter_id=r[0], notification_id=r[1], reason=r[2], is_open=r[3], expires_at=r[4], in_doubt=r[5]
        )
        for r in found
    }


def _objection(facts: _Facts | None, due: datetime) -> str:
    if facts is None or not facts.is_open:
        return "not_open"
    if facts.in_doubt:
        return "may_have_been_sent"
    return "expired" if due >= facts.expires_at else ""


def _revive(connection: Connection, due: Sequence[tuple[UUID, datetime | None]]) -> None:
    insert_rows(
        connection,
        "UPDATE notifications n SET state = 'accepted', reason = 'replayed', tries = 0, claims = 0, final_at = NULL,"
        " deliver_after = v.due, publish_after = v.due, updated_at = now()"
        " FROM (VALUES %s) AS v (id, due) WHERE n.id = v.id AND n.state = 'dead'",
        due,
        template="(%s, %s::timestamptz)",
    )


def _settle(connection: Connection, ids: Sequence[UUID], how: str, actor: str) -> None:
    execute(
        connection,
        "UPDATE dead_letters SET settled_at = now(), settled_as = %s, settled_by = %s WHERE id = ANY(%s::uuid[])",
        (how, actor, [str(each) for each in ids]),
    )


def _tell(connection: Connection, facts: Sequence[_Facts], actor: str, action: str, **details: str) -> None:
    audit.append(
        connection,
        [
            Act(
                actor=actor,
                action=action,
                subject=str(each.notification_id),
                details={"letter": str(each.letter_id), "reason": each.reason, **details},
            )
            for each in facts
        ],
    )
