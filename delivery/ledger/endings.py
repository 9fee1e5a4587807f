"""How calls ended: their attempts closed, their notifications moved, their events appended, in one statement."""

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from core.ids import new_id
from core.statements import Prepared, as_records, from_records, rows
from core.values import value
from core.vocabulary import Channel, OutcomeKind, State
from delivery import counters
from delivery.ledger.attempts import CLOSE
from delivery.ledger.moves import MOVE, mark_doubled, move_by_proof


@value(frozen=True, slots=True, kw_only=True)
class Ending:
    """What became of one attempt (`outcome` … `charged`), where its notification goes (`target` … `evidence`), and the
    delivery event that tells of it (`kind`, None for none; `price` USD where it was handed over).
    """

    attempt_id: UUID
    outcome: OutcomeKind
    reference: str
    code: str
    error_class: str
    detail: str
    closes: str
    units: int | None
    charged: Decimal | None
    notification_id: UUID
    fence: int
    target: State
    reason: str
    deliver_after: datetime | None
    tried: bool
    channel: Channel
    provider: str
    evidence: dict[str, Any] | None
    at: datetime
    kind: str
    user_id: str
    message_type: str
    domain: str
    price: Decimal | None
    event_id: UUID = field(default_factory=new_id)


class Ended(NamedTuple):
    """Whose attempts this has closed, and whose notifications it has moved."""

    closed: Sequence[Ending]
    moved: Sequence[Ending]


_END = Prepared(
    "end_attempts",
    "WITH said AS (SELECT *, COALESCE(price, 0) AS cost, false AS possible_duplicate, $2 AS resolved_by"
    "  FROM ROWS FROM (json_to_recordset($1) AS (attempt_id uuid, outcome text, reference text, code text,"
    "   error_class text, detail text, closes text, units smallint, charged numeric, notification_id uuid, fence int,"
    "   target text, reason text, deliver_after timestamptz, tried boolean, channel text, provider text,"
    "   evidence jsonb, at timestamptz, kind text, user_id text, message_type text, domain text, price numeric,"
    "   event_id uuid)) WITH ORDINALITY),"
    f" closed AS ({CLOSE} RETURNING v.ordinality),"
    f" moved AS ({MOVE} AND (SELECT count(*) FROM closed) >= 0 RETURNING v.ordinality),"  # attempts are locked first
    " told AS (INSERT INTO delivery_events (id, at, notification_id, attempt_id, user_id, channel, provider,"
    "  message_type, kind, code, error_class, domain, is_machine, price)"
    "  SELECT event_id, at, notification_id, attempt_id, user_id, channel, provider, message_type, kind, code,"
    "  error_class, domain, false, price FROM said JOIN closed USING (ordinality) WHERE kind <> '')"
    " SELECT ARRAY(SELECT ordinality FROM closed), ARRAY(SELECT ordinality FROM moved), pg_current_xact_id()::text",
)


def end(connection: Connection, endings: Sequence[Ending], *, resolved_by: str) -> Ended:
    """Close, move and tell, each where it still holds (`CLOSE`, `MOVE`); an event only for an attempt that this closes.

    Running totals count the events once the transaction has committed.
    """
    if not endings:
        return Ended((), ())
    in_order = sorted(
        endings, key=lambda each: each.attempt_id.int
    )  # writers of the same attempts never cross
    ((closed, moved, xid),) = rows(connection, _END, (as_records(in_order), resolved_by))
    ended = Ended([in_order[place - 1] for place in closed], [in_order[place - 1] for place in moved])
    counters.count_after_commit(connection, [each for each in ended.closed if each.kind], xid=int(xid))
    return ended


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
        endings,
    )
    move_by_proof(connection, ids, State.SENT)
    mark_doubled(connection, ids)
