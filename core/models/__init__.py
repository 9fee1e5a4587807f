"""The schema, one file per aggregate; `Base.metadata` is what migrations are checked against."""

from core.models.analytics import DeliveryRate
from core.models.base import Base, Sealed, SealedBytes, seal, unseal
from core.models.consents import Consent, PendingWithdrawal, Suppression
from core.models.events import AuditEntry, Callback, DeliveryEvent
from core.models.finance import Bill, Budget, Goal, Transaction
from core.models.inbound import InboundMessage
from core.models.notifications import Attempt, DeadLetter, Notification
from core.models.users import ContactPoint, Preference, User

__all__ = [
    "Attempt", "AuditEntry", "Base", "Bill", "Budget", "Callback", "Consent", "ContactPoint", "DeadLetter",
    "DeliveryEvent", "DeliveryRate", "Goal", "InboundMessage", "Notification", "PendingWithdrawal", "Preference", "Sealed", "SealedBytes", "Suppression",
    "Transaction", "User", "seal", "unseal",
]  # fmt: skip
