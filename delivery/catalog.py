"""The eight message types, one row each: the only place where a type's numbers stand.

Every number can be set by environment, e.g. `MINGUS_LIMIT_PAYMENT_REMINDER_SMS=40` (messages per minute across all
workers) or `MINGUS_RETRIES_WEEKLY_CHECKIN=1`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache

from core.errors import SettingsError, UnknownMessageType
from core.vocabulary import Category, Channel, ConsentLevel, Lane, LawfulBasis, Purpose, Urgency

SMS, EMAIL = Channel.SMS, Channel.EMAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageType:
    """A kind of thing we say, with all its numbers.

    `limits` are messages per minute per channel across all workers, 0 forbids the channel; `user_daily_limit` counts
    per person and day; `channels` is the order in which channels are tried; `lifetime` after acceptance the message
    is worthless and expires; `window` says that the recipient's permitted hours apply.
    """

    name: str
    task: str
    payload: str
    priority: int
    category: Category
    purpose: Purpose
    urgency: Urgency
    lane: Lane
    channels: tuple[Channel, ...]
    limits: Mapping[Channel, int]
    user_daily_limit: int
    retries: int
    backoff: timedelta
    lifetime: timedelta
    consent_level: ConsentLevel
    lawful_basis: LawfulBasis
    window: bool
    deferrable: bool
    example: Mapping[str, object] = field(default_factory=dict)

    def allows(self, channel: Channel) -> bool:
        """True when the type may use `channel` at all."""
        return channel in self.channels and self.limits.get(channel, 0) > 0


MESSAGE_TYPES = (
    MessageType(
        name="critical_financial", task="send_critical_financial_alert", payload="alert_data", priority=1,
        category=Category.SECURITY, purpose=Purpose.ALERTS, urgency=Urgency.CRITICAL, lane=Lane.SMS_CRITICAL,
        channels=(SMS, EMAIL), limits={SMS: 10, EMAIL: 5}, user_daily_limit=20, retries=3,
        backoff=timedelta(seconds=60), lifetime=timedelta(hours=1), consent_level=ConsentLevel.EXPRESS,
        lawful_basis=LawfulBasis.CONTRACT, window=False, deferrable=False,
        example={"template": "Critical: {message}", "message": "Overdraft detected on account ending in 1234",
                 "urgency": "high"},
    ),
    MessageType(
        name="payment_reminder", task="send_payment_reminder", payload="payment_data", priority=2,
        category=Category.PAYMENTS, purpose=Purpose.ACCOUNT, urgency=Urgency.URGENT, lane=Lane.SMS_DAILY,
        channels=(SMS, EMAIL), limits={SMS: 20, EMAIL: 10}, user_daily_limit=5, retries=2,
        backoff=timedelta(minutes=5), lifetime=timedelta(days=1), consent_level=ConsentLevel.EXPRESS,
        lawful_basis=LawfulBasis.CONTRACT, window=True, deferrable=False,
        example={"template": "Reminder: {bill_name} due {due_date} - ${amount}", "bill_name": "Rent",
                 "due_date": "2025-02-01", "amount": "1200.00"},
    ),
    MessageType(
        name="weekly_checkin", task="send_weekly_checkin", payload="checkin_data", priority=3,
        category=Category.WELLNESS, purpose=Purpose.WELLNESS, urgency=Urgency.NORMAL, lane=Lane.SMS_DAILY,
        channels=(SMS, EMAIL), limits={SMS: 50, EMAIL: 25}, user_daily_limit=1, retries=2,
        backoff=timedelta(minutes=10), lifetime=timedelta(days=3), consent_level=ConsentLevel.EXPRESS,
        lawful_basis=LawfulBasis.CONSENT, window=True, deferrable=True,
        example={"template": "Hi {name}, weekly check-in: {question}", "name": "Maya",
                 "question": "How did your spending feel this week, 1 to 5?"},
    ),
    MessageType(
        name="milestone_reminder", task="send_milestone_reminder", payload="milestone_data", priority=4,
        category=Category.WELLNESS, purpose=Purpose.WELLNESS, urgency=Urgency.NORMAL, lane=Lane.SMS_DAILY,
        channels=(SMS, EMAIL), limits={SMS: 30, EMAIL: 15}, user_daily_limit=2, retries=1,
        backoff=timedelta(minutes=15), lifetime=timedelta(days=2), consent_level=ConsentLevel.EXPRESS,
        lawful_basis=LawfulBasis.CONSENT, window=True, deferrable=True,
        example={"template": "{name}, you reached your goal: {milestone}!", "name": "Maya",
                 "milestone": "Emergency fund"},
    ),
    MessageType(
        name="monthly_report", task="send_monthly_report", payload="report_data", priority=5,
        category=Category.REPORTS, purpose=Purpose.ACCOUNT, urgency=Urgency.NORMAL, lane=Lane.EMAIL_REPORTS,
        channels=(EMAIL,), limits={SMS: 0, EMAIL: 10}, user_daily_limit=2, retries=2,
        backoff=timedelta(minutes=30), lifetime=timedelta(days=5), consent_level=ConsentLevel.NONE,
        lawful_basis=LawfulBasis.CONTRACT, window=False, deferrable=True,
        example={"month": "2025-01", "spending": "2310.40", "savings": "420.00"},
    ),
    MessageType(
        name="career_insights", task="send_career_insights", payload="career_data", priority=6,
        category=Category.CAREER, purpose=Purpose.MARKETING, urgency=Urgency.LOW, lane=Lane.EMAIL_EDUCATION,
        channels=(EMAIL,), limits={SMS: 0, EMAIL: 20}, user_daily_limit=1, retries=2,
        backoff=timedelta(minutes=30), lifetime=timedelta(days=7), consent_level=ConsentLevel.NONE,
        lawful_basis=LawfulBasis.CONSENT, window=False, deferrable=True,
        example={"role": "Data Analyst", "insight": "Demand for SQL grew by 12 % this quarter."},
    ),
    MessageType(
        name="educational_content", task="send_educational_content", payload="education_data", priority=7,
        category=Category.EDUCATION, purpose=Purpose.MARKETING, urgency=Urgency.LOW, lane=Lane.EMAIL_EDUCATION,
        channels=(EMAIL,), limits={SMS: 0, EMAIL: 30}, user_daily_limit=1, retries=2,
        backoff=timedelta(minutes=30), lifetime=timedelta(days=7), consent_level=ConsentLevel.NONE,
        lawful_basis=LawfulBasis.CONSENT, window=False, deferrable=True,
        example={"topic": "Compound interest", "difficulty": "beginner",
                 "summary": "Why time matters more than the amount."},
    ),
    MessageType(
        name="onboarding_sequence", task="send_onboarding_sequence", payload="onboarding_data", priority=8,
        category=Category.ONBOARDING, purpose=Purpose.MARKETING, urgency=Urgency.LOW, lane=Lane.EMAIL_EDUCATION,
        channels=(EMAIL, SMS), limits={SMS: 100, EMAIL: 50}, user_daily_limit=2, retries=3,
        backoff=timedelta(minutes=15), lifetime=timedelta(days=3), consent_level=ConsentLevel.EXPRESS_WRITTEN,
        lawful_basis=LawfulBasis.CONSENT, window=True, deferrable=True,
        example={"sequence_step": 1, "total_steps": 5, "title": "Connect your first account"},
    ),
)  # fmt: skip


@lru_cache(maxsize=1)
def catalog() -> Mapping[str, MessageType]:
    """Name → message type, in order of priority, with the environment's numbers applied."""
    return {row.name: _with_environment(row) for row in MESSAGE_TYPES}


def message_type(name: str) -> MessageType:
    """The row of `name`; UnknownMessageType lists the names that exist."""
    try:
        return catalog()[name]
    except KeyError:
        raise UnknownMessageType("message_type", f"{name!r} is none of {', '.join(catalog())}") from None


def _with_environment(row: MessageType) -> MessageType:
    limits = {
        channel: _number(f"MINGUS_LIMIT_{row.name}_{channel}".upper(), n) for channel, n in row.limits.items()
    }
    return replace(
        row,
        limits=limits,
        user_daily_limit=_number(f"MINGUS_USER_DAILY_LIMIT_{row.name}".upper(), row.user_daily_limit),
        retries=_number(f"MINGUS_RETRIES_{row.name}".upper(), row.retries),
        backoff=timedelta(
            seconds=_number(f"MINGUS_BACKOFF_SECONDS_{row.name}".upper(), int(row.backoff.total_seconds()))
        ),
        lifetime=timedelta(
            seconds=_number(f"MINGUS_LIFETIME_SECONDS_{row.name}".upper(), int(row.lifetime.total_seconds()))
        ),
    )


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable)
    if text is None:
        return default
    if not text.isdecimal():
        raise SettingsError(f"{variable}: must be a whole number of 0 or more, not {text!r}")
    return int(text)
