"""Delivery events: what happened to a message, appended and never changed."""

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Connection

from core.ids import new_id
from core.statements import Prepared, from_records
from core.values import value
from delivery import counters


@value(frozen=True, slots=True, kw_only=True)
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


_RECORD = Prepared(
    "record_facts",
    "INSERT INTO delivery_events (id, at, notification_id, attempt_id, user_id, channel, provider, message_type,"
    " kind, code, error_class, domain, is_machine, price)"
    " SELECT id, at, notification_id, attempt_id, user_id, channel, provider, message_type, kind, code,"
    " error_class, domain, is_machine, price FROM json_to_recordset($1)"
    " AS v (id uuid, at timestamptz, notification_id uuid, attempt_id uuid, user_id text, channel text,"
    " provider text, message_type text, kind text, code text, error_class text, domain text, is_machine boolean,"
    " price numeric) RETURNING ins_xid",
)


def record_facts(connection: Connection, facts: Sequence[Fact]) -> None:
    """Append delivery events; the running totals count them once this transaction has committed."""
    written = from_records(connection, _RECORD, facts)
    if written:
        counters.count_after_commit(connection, facts, xid=int(written[0][0]))
