"""From state to state: by the holder of a claim, or by what a provider said."""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from core.statements import Prepared, execute, from_records, rows
from core.values import value
from core.vocabulary import Channel, State
from delivery.ledger.claims import BY_ID_ALONE
from delivery.lifecycle import FINAL, sources


@value(frozen=True, slots=True, kw_only=True)
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


_FINAL_WORDS = ", ".join(f"'{each}'" for each in sorted(FINAL))
MOVE = (
    "UPDATE notifications n SET state = v.target, reason = v.reason, lease_until = NULL, claims = 0,"
    " deliver_after = COALESCE(v.deliver_after, n.deliver_after),"
    " publish_after = COALESCE(v.deliver_after, n.publish_after),"
    " channel = COALESCE(v.channel, n.channel), provider = COALESCE(v.provider, n.provider),"
    " cost = n.cost + v.cost, tries = n.tries + v.tried::int::smallint,"
    " possible_duplicate = n.possible_duplicate OR v.possible_duplicate,"
    " evidence = COALESCE(v.evidence, n.evidence), updated_at = now(),"
    " sent_at = CASE WHEN v.target = 'sent' THEN COALESCE(n.sent_at, now()) ELSE n.sent_at END,"
    f" final_at = CASE WHEN v.target IN ({_FINAL_WORDS}) THEN now() END"
    " FROM said AS v WHERE n.id = v.notification_id AND n.id = ANY(ARRAY(SELECT notification_id FROM said))"
    f" AND {BY_ID_ALONE} = 'claimed' AND n.fence = v.fence"
)
"""Moves claimed notifications to what is `said` of them; a fenced or already settled one does not move.

They are named twice for the sake of the plan, as in `attempts.CLOSE`.
"""
_MOVE_ALL = Prepared(
    "move",
    "WITH said AS (SELECT id AS notification_id, fence, target, reason, deliver_after, channel, provider, cost, tried,"
    "  possible_duplicate, evidence, ordinality"
    "  FROM ROWS FROM (json_to_recordset($1) AS (id uuid, fence int, target text, reason text,"
    "  deliver_after timestamptz, channel text, provider text, cost numeric, tried boolean,"
    f"  possible_duplicate boolean, evidence jsonb)) WITH ORDINALITY) {MOVE} RETURNING v.ordinality",
)


def move(connection: Connection, moves: Sequence[Move]) -> set[UUID]:
    """Move claimed notifications on; the ids that moved (a fenced or already settled one does not)."""
    found = from_records(connection, _MOVE_ALL, moves)
    return {moves[place - 1].id for (place,) in found}


def move_by_proof(
    connection: Connection,
    ids: Sequence[UUID],
    target: State,
    *,
    reason: str = "",
    due: datetime | None = None,
    tried: bool = False,
    said_of: Sequence[UUID] = (),
) -> set[UUID]:
    """Move notifications because of what a provider said, from any state that may become `target`; those that moved.

    `tried` counts a try against their retries. What goes back to be sent again has not arrived: it counts for no cap
    on how much a person gets, and its next receipt is waited for from its next sending on.

    A notification that waits for its next route is not called back by a late word of an attempt (`said_of`) whose
    route or channel has been ruled out since: "sent" may come after "undelivered".
    """
    if not ids:
        return set()
    found = rows(
        connection,
        "UPDATE notifications SET state = %(target)s, reason = %(reason)s, lease_until = NULL, claims = 0,"
        " deliver_after = COALESCE(%(due)s, deliver_after), publish_after = COALESCE(%(due)s, publish_after),"
        " tries = tries + %(tried)s::int::smallint, sent_at = CASE WHEN %(handed)s THEN COALESCE(sent_at, now())"
        "  WHEN %(again)s THEN NULL ELSE sent_at END,"
        " final_at = CASE WHEN %(final)s THEN COALESCE(final_at, now()) END, updated_at = now()"
        " WHERE id = ANY(%(ids)s::uuid[]) AND state = ANY(%(sources)s)"
        " AND NOT (%(target)s = 'sent' AND state = 'accepted' AND EXISTS (SELECT FROM attempts a"
        "  WHERE a.notification_id = notifications.id AND a.id = ANY(%(said_of)s::uuid[]) AND a.closes <> ''))"
        " RETURNING id",
        {
            "target": str(target), "reason": reason, "due": due, "tried": tried, "ids": [str(each) for each in ids],
            "said_of": [str(each) for each in said_of],
            "sources": [str(source) for source in sources(target)], "final": target in FINAL,
            "again": target is State.ACCEPTED,
            "handed": target in {State.SENT, State.DELIVERED, State.BOUNCED, State.COMPLAINED},
        },
    )  # fmt: skip
    return {row[0] for row in found}


def states(connection: Connection, ids: Collection[UUID]) -> dict[UUID, State]:
    """The present state of each id that exists."""
    found = rows(
        connection,
        "SELECT id, state FROM notifications WHERE id = ANY(%s::uuid[])",
        ([str(each) for each in ids],),
    )
    return {notification_id: State(state) for notification_id, state in found}


def mark_doubled(connection: Connection, ids: Collection[UUID]) -> None:
    """Mark those of which more than one attempt was, or may have been, taken: the person may have got it twice."""
    execute(
        connection,
        "UPDATE notifications n SET possible_duplicate = true, updated_at = now() WHERE id = ANY(%s::uuid[])"
        " AND NOT possible_duplicate AND (SELECT count(*) FROM attempts a WHERE a.notification_id = n.id"
        "  AND a.closes = '' AND (a.closed_at IS NULL OR a.outcome IN ('accepted', 'unknown'))) > 1",
        ([str(each) for each in ids],),
    )
