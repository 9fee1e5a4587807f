"""How calls ended: their attempts closed, their notifications moved, their events appended, in one statement."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from core.ids import new_id
from core.statements import Prepared, as_records, from_records, rows, shared
from core.values import value
from core.vocabulary import Channel, OutcomeKind, State
from delivery import counters
from delivery.ledger.attempts import CLOSE
from delivery.ledger.moves import MOVE, mark_doubled, move_by_proof


@value(frozen=True, slots=True, kw_only=True)
class Answer:
    """What calls came to (`outcome` … `charged`), where their notifications go (`target` … `provider`), and the delivery
    event that tells of it (`kind`, empty for none; `price` USD where it was handed over). Many messages share one.
    """

    outcome: OutcomeKind
    code: str
    error_class: str
    detail: str
    closes: str
    units: int | None
    charged: Decimal | None
    target: State
    reason: str
    deliver_after: datetime | None
    tried: bool
    channel: Channel
    provider: str
    kind: str
    message_type: str
    price: Decimal | None


@value(frozen=True, slots=True)
class Ending:
    """What became of one attempt; `reference` is the provider's, `evidence` why the message was allowed."""

    attempt_id: UUID
    notification_id: UUID
    fence: int
    reference: str
    user_id: str
    domain: str
    evidence: Mapping[str, Any] | None
    answer: Answer


class Ended(NamedTuple):
    """Whose attempts this has closed, and whose notifications it has moved."""

    closed: Sequence[Ending]
    moved: Sequence[Ending]


class _Event(NamedTuple):
    """A delivery event as the running totals count it."""

    at: datetime
    message_type: str
    channel: str
    kind: str
    user_id: str
    price: Decimal | None


_END = Prepared(
    "end_attempts",
    "WITH said AS (SELECT m.*, a.*, COALESCE(a.price, 0) AS cost, false AS possible_duplicate, $4 AS resolved_by"
    "  FROM ROWS FROM (json_to_recordset($1) AS (attempt_id uuid, event_id uuid, notification_id uuid, fence int,"
    "   reference text, user_id text, domain text, evidence jsonb, answer int)) WITH ORDINALITY AS m"
    "  JOIN json_to_recordset($2) AS a (place int, outcome text, code text, error_class text, detail text, closes text,"
    "   units smallint, charged numeric, target text, reason text, deliver_after timestamptz, tried boolean,"
    "   channel text, provider text, kind text, message_type text, price numeric) ON a.place = m.answer"
    "  ORDER BY m.ordinality),"
    f" closed AS ({CLOSE} RETURNING v.ordinality),"
    f" moved AS ({MOVE} AND (SELECT count(*) FROM closed) >= 0 RETURNING v.ordinality),"  # attempts are locked first
    " told AS (INSERT INTO delivery_events (id, at, notification_id, attempt_id, user_id, channel, provider,"
    "  message_type, kind, code, error_class, domain, is_machine, price)"
    "  SELECT event_id, $3, notification_id, attempt_id, user_id, channel, provider, message_type, kind, code,"
    "  error_class, domain, false, price FROM said JOIN closed USING (ordinality) WHERE kind <> '')"
    " SELECT ARRAY(SELECT ordinality FROM closed), ARRAY(SELECT ordinality FROM moved), pg_current_xact_id()::text",
)


def end(connection: Connection, endings: Sequence[Ending], *, at: datetime, resolved_by: str) -> Ended:
    """Close, move and tell, each where it still holds (`CLOSE`, `MOVE`); an event only for an attempt that this closes.

    Running totals count the events once the transaction has committed.
    """
    if not endings:
        return Ended((), ())
    in_order = sorted(
        endings, key=lambda each: each.attempt_id.int
    )  # writers of the same attempts never cross
    places, answers = shared([each.answer for each in in_order])
    members = [_as_record(each, place) for each, place in zip(in_order, places, strict=True)]
    ((closed, moved, xid),) = rows(connection, _END, (as_records(members), answers, at, resolved_by))
    ended = Ended([in_order[place - 1] for place in closed], [in_order[place - 1] for place in moved])
    counters.count_after_commit(connection, _events(ended.closed, at), xid=int(xid))
    return ended


def _as_record(ending: Ending, place: int) -> dict[str, Any]:
    return {
        "attempt_id": ending.attempt_id, "event_id": new_id(), "notification_id": ending.notification_id,
        "fence": ending.fence, "reference": ending.reference, "user_id": ending.user_id, "domain": ending.domain,
        "evidence": ending.evidence, "answer": place,
    }  # fmt: skip


def _events(closed: Sequence[Ending], at: datetime) -> list[_Event]:
    return [
        _Event(at, told.message_type, told.channel, told.kind, each.user_id, told.price)
        for each in closed
        if (told := each.answer).kind
    ]


def complete_late(connection: Connection, endings: Sequence[Ending]) -> None:
    """Record that messages were handed over although their claim was lost meanwhile (fenced, or outrun by a receipt)."""
    if not endings:
        return
    ids = [each.notification_id for each in endings]
    from_records(
        connection,
        "UPDATE notifications n SET cost = n.cost + v.price, channel = v.channel, provider = v.provider,"
        " sent_at = COALESCE(n.sent_at, now()), updated_at = now()"
        " FROM json_to_recordset(%s) AS v (notification_id uuid, channel text, provider text, price numeric)"
        " WHERE n.id = v.notification_id",
        [
            {"notification_id": each.notification_id, "channel": told.channel, "provider": told.provider,
             "price": told.price}
            for each in endings
            for told in (each.answer,)
        ],
    )  # fmt: skip
    move_by_proof(connection, ids, State.SENT)
    mark_doubled(connection, ids)
