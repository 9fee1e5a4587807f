"""Celery's doors: the eight tasks of the specification, the chunk, the relay and the processing of callbacks."""

from tasks.app import app
from tasks.email import (
    send_career_insights,
    send_educational_content,
    send_monthly_report,
    send_onboarding_sequence,
)
from tasks.sms import (
    send_critical_financial_alert,
    send_milestone_reminder,
    send_payment_reminder,
    send_weekly_checkin,
)

celery = app

__all__ = [
    "app",
    "celery",
    "send_career_insights",
    "send_critical_financial_alert",
    "send_educational_content",
    "send_milestone_reminder",
    "send_monthly_report",
    "send_onboarding_sequence",
    "send_payment_reminder",
    "send_weekly_checkin",
]
