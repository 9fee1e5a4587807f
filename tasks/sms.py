"""The tasks of the two SMS lanes: doors with a name and a payload, nothing inside."""

from typing import Any

from tasks.app import app
from tasks.base import NotificationTask


@app.task(base=NotificationTask, bind=True, name="tasks.send_critical_financial_alert",
          message_type_name="critical_financial")  # fmt: skip
def send_critical_financial_alert(self: NotificationTask, user_id: str, alert_data: dict[str, Any]) -> bool:
    """Overdraft, fraud, security: at once, at any hour, by every way there is."""
    return self.send_now(user_id, alert_data)


@app.task(base=NotificationTask, bind=True, name="tasks.send_payment_reminder",
          message_type_name="payment_reminder")  # fmt: skip
def send_payment_reminder(self: NotificationTask, user_id: str, payment_data: dict[str, Any]) -> bool:
    """A bill is due."""
    return self.send_now(user_id, payment_data)


@app.task(base=NotificationTask, bind=True, name="tasks.send_weekly_checkin",
          message_type_name="weekly_checkin")  # fmt: skip
def send_weekly_checkin(self: NotificationTask, user_id: str, checkin_data: dict[str, Any]) -> bool:
    """One question a week."""
    return self.send_now(user_id, checkin_data)


@app.task(base=NotificationTask, bind=True, name="tasks.send_milestone_reminder",
          message_type_name="milestone_reminder")  # fmt: skip
def send_milestone_reminder(self: NotificationTask, user_id: str, milestone_data: dict[str, Any]) -> bool:
    """A goal reached, a birthday, a streak."""
    return self.send_now(user_id, milestone_data)
