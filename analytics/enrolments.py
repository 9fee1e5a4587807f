"""The enrolment table and the facts that sequences are decided by, read and written for a set of users at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from sqlalchemy import Connection

from analytics.sequences import Facts, Plan, Progress
from core.statements import execute, insert_rows, rows

_COLUMNS = ", ".join(field.name for field in fields(Progress))

# Marketing consent on any channel, by the ledger's latest word; a withdrawal under way counts already.
_FACTS = """
SELECT u.id, coalesce(u.time_zone, 'UTC'), u.joined_at, u.last_active_at,
       EXISTS (SELECT FROM transactions t WHERE t.user_id = u.id),
       EXISTS (SELECT FROM budgets b WHERE b.user_id = u.id),
       EXISTS (SELECT FROM goals g WHERE g.user_id = u.id),
       EXISTS (SELECT FROM (SELECT DISTINCT ON (c.channel) c.channel, c.action FROM consents c
                            WHERE c.user_id = u.id AND c.purpose = 'marketing'
                            ORDER BY c.channel, c.at DESC, c.id DESC) AS newest
               WHERE newest.action = 'grant'
                 AND NOT EXISTS (SELECT FROM pending_withdrawals p WHERE p.user_id = u.id
                                 AND p.channel = newest.channel AND p.purpose = 'marketing')),
       (SELECT max(coalesce(n.sent_at, n.deliver_after)) FROM notifications n
        WHERE n.user_id = u.id AND n.message_type = 'onboarding_sequence'
          AND n.state NOT IN ('skipped', 'failed', 'dead'))
FROM users u WHERE u.id = ANY(%s)
"""


def facts_of(connection: Connection, users: Sequence[str]) -> dict[str, Facts]:
    """By user."""
    return {
        user: Facts(
            user,
            zone,
            joined,
            active,
            _held(transactions=moved, budget=budget, goal=goal),
            may_hear,
            heard_at,
        )
        for user, zone, joined, active, moved, budget, goal, may_hear, heard_at in rows(
            connection, _FACTS, (list(users),)
        )
    }


def _held(**given: bool) -> frozenset[str]:
    return frozenset(f"has_{name}" for name, holds in given.items() if holds)


def enrolments_of(connection: Connection, plan: Plan, users: Sequence[str]) -> dict[str, Progress]:
    """By user, their newest run."""
    sql = (
        f"SELECT DISTINCT ON (user_id) {_COLUMNS} FROM enrolments"  # noqa: S608  our own column names
        " WHERE sequence = %s AND user_id = ANY(%s) ORDER BY user_id, run DESC"
    )
    return {row[0]: Progress(*row) for row in rows(connection, sql, (plan.name, list(users)))}


def write(connection: Connection, changed: Iterable[Progress]) -> None:
    """Insert or replace enrolments."""
    insert_rows(
        connection,
        f"INSERT INTO enrolments ({_COLUMNS}) VALUES %s ON CONFLICT (user_id, sequence, run) DO UPDATE SET"  # noqa: S608  our own column names
        " state = EXCLUDED.state, left_because = EXCLUDED.left_because, step = EXCLUDED.step,"
        " next_at = EXCLUDED.next_at, last_step_on = EXCLUDED.last_step_on, updated_at = EXCLUDED.updated_at",
        [tuple(getattr(each, field.name) for field in fields(Progress)) for each in changed],
    )


def leave(connection: Connection, plan: Plan, reasons: Mapping[str, str]) -> None:
    """Ends the active enrolments of these users, each for its reason."""
    for because in set(reasons.values()):
        users = [user for user, reason in reasons.items() if reason == because]
        execute(
            connection,
            "UPDATE enrolments SET state = 'left', left_because = %s, updated_at = now()"
            " WHERE sequence = %s AND state = 'active' AND user_id = ANY(%s)",
            (because, plan.name, users),
        )
