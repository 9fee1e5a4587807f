"""The words that the fault tests speak: an alert, a lesson, what the rows say, and time passing."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from core.database import transaction
from core.statements import execute, rows
from delivery import Request, accept, accept_many
from delivery.catalog import catalog
from delivery.receipts import apply_waiting
from delivery.recovery import recover_lapsed
from delivery.unknowns import resolve_unknown
from tests.delivery.stage import Provider

QUICK = {
    "MINGUS_READ_TIMEOUT": "0.6",
    "MINGUS_CONNECT_TIMEOUT": "0.5",
    "MINGUS_LEASE_SECONDS": "5",
    "MINGUS_UNKNOWN_SETTLE_SECONDS": "1",
    "MINGUS_LIMIT_CRITICAL_FINANCIAL_SMS": "100000",
    "MINGUS_LIMIT_CRITICAL_FINANCIAL_EMAIL": "100000",
    "MINGUS_LIMIT_PAYMENT_REMINDER_SMS": "100000",
    "MINGUS_LIMIT_PAYMENT_REMINDER_EMAIL": "100000",
    "MINGUS_LIMIT_MONTHLY_REPORT_EMAIL": "100000",
    "MINGUS_LIMIT_EDUCATIONAL_CONTENT_EMAIL": "100000",
    "MINGUS_USER_DAILY_LIMIT_EDUCATIONAL_CONTENT": "1000",
}


def alert(user_id: str, message: str = "Overdraft on account 1234", **given: Any) -> UUID:
    """An accepted critical alert (SMS, then email)."""
    payload = {"template": "Critical: {message}", "message": message, "urgency": "high"}
    return accept(
        Request(user_id=user_id, message_type="critical_financial", payload=payload, **given)
    ).notification_id


def report(user_id: str, **given: Any) -> UUID:
    """An accepted monthly report (email only, never at night)."""
    payload = dict(catalog()["monthly_report"].example)
    return accept(
        Request(user_id=user_id, message_type="monthly_report", payload=payload, **given)
    ).notification_id


def lessons(user_ids: Sequence[str]) -> list[UUID]:
    """One accepted lesson each (email only)."""
    payload = dict(catalog()["educational_content"].example)
    results = accept_many(
        [
            Request(user_id=user_id, message_type="educational_content", payload=payload)
            for user_id in user_ids
        ]
    )
    return [each.notification_id for each in results]  # type: ignore[union-attr]


def row_of(notification_id: UUID) -> dict[str, Any]:
    """Everything that a notification's row says."""
    with transaction() as connection:
        (found,) = rows(
            connection, "SELECT row_to_json(n) FROM notifications n WHERE id = %s", (notification_id,)
        )
    return found[0]


def state_of(notification_id: UUID) -> str:
    return row_of(notification_id)["state"]


def attempts_of(notification_id: UUID) -> list[dict[str, Any]]:
    """Its attempts, oldest first."""
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT row_to_json(a) FROM attempts a WHERE notification_id = %s ORDER BY id",
            (notification_id,),
        )
    return [row[0] for row in found]


def taken(provider: Provider) -> list[dict[str, Any]]:
    """The messages that the providers took, each once, oldest first."""
    return [each for each in provider.messages() if each["outcome"] == "accepted"]


def letters() -> list[tuple[str, str]]:
    """(reason, error class) of every dead letter."""
    with transaction() as connection:
        return rows(connection, "SELECT reason, error_class FROM dead_letters ORDER BY at")


def let_time_pass(seconds: float = 3600.0) -> None:
    """Make everything that waits due: leases lapse, settle times and retries come, nothing expires."""
    with transaction() as connection:
        execute(
            connection,
            "UPDATE notifications SET deliver_after = deliver_after - make_interval(secs => %(s)s),"
            " publish_after = publish_after - make_interval(secs => %(s)s),"
            " lease_until = lease_until - make_interval(secs => %(s)s)"
            " WHERE state IN ('accepted', 'claimed', 'unknown')",
            {"s": seconds},
        )


def look_for_the_lost() -> None:
    """What the housekeeping does every few seconds, once."""
    let_time_pass()
    recover_lapsed()
    let_time_pass()
    resolve_unknown()
    apply_waiting()
