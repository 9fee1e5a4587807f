"""The schema, one file per aggregate; `Base.metadata` is what migrations are checked against."""

from core.models.analytics import (
    Alarm,
    CampaignDay,
    DeliveryRate,
    EngagementScore,
    EventHour,
    FrequencyCap,
    LatencyHour,
    QueueSample,
    Report,
    RollupState,
    TryDomain,
    TrySlot,
    UserDay,
)
from core.models.base import Base, Sealed
from core.models.batches import Campaign, Career, Enrolment, JobPosting, Lesson, ReminderWish
from core.models.consents import Consent, PendingWithdrawal, Suppression
from core.models.events import AuditEntry, Callback, DeliveryEvent
from core.models.finance import Bill, Budget, Goal, Transaction
from core.models.inbound import InboundMessage
from core.models.notifications import Attempt, DeadLetter, Notification
from core.models.send_times import PersonHour, SendChoice, SendTime, SendTimeFit
from core.models.users import ContactPoint, Preference, User

__all__ = [
    "Alarm", "Attempt", "AuditEntry", "Base", "Bill", "Budget", "Callback", "Campaign", "CampaignDay", "Career",
    "Consent", "ContactPoint", "DeadLetter", "DeliveryEvent", "DeliveryRate", "EngagementScore", "Enrolment",
    "EventHour", "FrequencyCap", "Goal", "InboundMessage", "JobPosting", "LatencyHour", "Lesson", "Notification",
    "PendingWithdrawal", "PersonHour", "Preference", "QueueSample", "ReminderWish", "Report", "RollupState", "Sealed",
    "SendChoice", "SendTime", "SendTimeFit", "Suppression", "Transaction", "TryDomain", "TrySlot",
    "User", "UserDay",
]  # fmt: skip
