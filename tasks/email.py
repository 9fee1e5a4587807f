"""The tasks of the two email lanes: doors with a name and a payload, nothing inside."""

from typing import Any

from tasks.app import app
from tasks.base import NotificationTask


@app.task(base=NotificationTask, bind=True, name="tasks.send_monthly_report",
          message_type_name="monthly_report")  # fmt: skip
def send_monthly_report(self: NotificationTask, user_id: str, report_data: dict[str, Any]) -> bool:
    """The month in figures."""
    return self.send_now(user_id, report_data)


@app.task(base=NotificationTask, bind=True, name="tasks.send_career_insights",
          message_type_name="career_insights")  # fmt: skip
def send_career_insights(self: NotificationTask, user_id: str, career_data: dict[str, Any]) -> bool:
    """What the market asks for and pays."""
    return self.send_now(user_id, career_data)


@app.task(base=NotificationTask, bind=True, name="tasks.send_educational_content",
          message_type_name="educational_content")  # fmt: skip
def send_educational_content(self: NotificationTask, user_id: str, education_data: dict[str, Any]) -> bool:
    """One lesson."""
    return self.send_now(user_id, education_data)


@app.task(base=NotificationTask, bind=True, name="tasks.send_onboarding_sequence",
          message_type_name="onboarding_sequence")  # fmt: skip
def send_onboarding_sequence(self: NotificationTask, user_id: str, onboarding_data: dict[str, Any]) -> bool:
    """One step of the welcome."""
    return self.send_now(user_id, onboarding_data)
