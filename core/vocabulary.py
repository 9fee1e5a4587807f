"""The project's words as enums: every other module spells them through here and nowhere else."""

from enum import StrEnum


class Channel(StrEnum):
    """How an address looks and how content becomes a rendered message."""

    SMS = "sms"
    EMAIL = "email"


class Lane(StrEnum):
    """A queue with its own workers, listed most urgent first."""

    SMS_CRITICAL = "sms_critical"
    SMS_DAILY = "sms_daily"
    EMAIL_REPORTS = "email_reports"
    EMAIL_EDUCATION = "email_education"


class Urgency(StrEnum):
    """How much a message may hurt by being late: it decides fallback, exemptions and what to do when in doubt."""

    CRITICAL = "critical"
    URGENT = "urgent"
    NORMAL = "normal"
    LOW = "low"


class Category(StrEnum):
    """What a person switches on and off in their preferences."""

    SECURITY = "security"
    PAYMENTS = "payments"
    WELLNESS = "wellness"
    REPORTS = "reports"
    CAREER = "career"
    EDUCATION = "education"
    ONBOARDING = "onboarding"


class Purpose(StrEnum):
    """What a consent was given for (consent is user × channel × purpose)."""

    ALERTS = "alerts"
    ACCOUNT = "account"
    WELLNESS = "wellness"
    MARKETING = "marketing"


class ConsentLevel(StrEnum):
    """TCPA levels, weakest first (47 CFR 64.1200): a text needs at least its type's level."""

    NONE = "none"
    EXPRESS = "express"
    EXPRESS_WRITTEN = "express_written"


class LawfulBasis(StrEnum):
    """GDPR article 6(1) bases that our message types stand on."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGITIMATE_INTEREST = "legitimate_interest"


class State(StrEnum):
    """Where a notification stands; the legal moves between them are in `delivery.lifecycle`."""

    ACCEPTED = "accepted"
    CLAIMED = "claimed"
    SENT = "sent"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    FAILED = "failed"
    SKIPPED = "skipped"
    DEAD = "dead"


class OutcomeKind(StrEnum):
    """What a provider's answer means for what we do next."""

    ACCEPTED = "accepted"
    REFUSED_FOR_GOOD = "refused_for_good"
    RETRY_LATER = "retry_later"
    UNKNOWN = "unknown"
    QUOTA_EXHAUSTED = "quota_exhausted"


class ErrorClass(StrEnum):
    """Why a send failed, in the classes that `process_failed_messages` acts on."""

    PERMANENT_ADDRESS = "permanent_address"
    PERMANENT_CONSENT = "permanent_consent"
    CONTENT_POLICY = "content_policy"
    PROVIDER_ACCOUNT = "provider_account"
    CAPACITY = "capacity"
    TRANSIENT_NETWORK = "transient_network"
    EXPIRED = "expired"
    OURS = "ours"
    UNKNOWN = "unknown"


class EventKind(StrEnum):
    """What a provider tells us later, normalised once for all of them."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED_HARD = "bounced_hard"
    BOUNCED_SOFT = "bounced_soft"
    FAILED = "failed"
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"
    RECEIVED = "received"
    UNRECOGNISED = "unrecognised"
