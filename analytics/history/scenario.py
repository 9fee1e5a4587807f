"""What is said, how often, how it fails and what goes wrong: the numbers of the past, one row each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from core.vocabulary import Channel, ErrorClass, EventKind, Lane

SMS, EMAIL = Channel.SMS, Channel.EMAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class PastType:
    """How a message type was used: sends per person and week, when, and how people answer.

    `hour` is local to the person unless `utc`; None is any hour. `opens` and `clicks` are the chances for an average
    person at their best hour (clicks of those who opened, or of all texts).
    """

    name: str
    lane: Lane
    channel: Channel
    per_week: float
    hour: int | None
    utc: bool = False
    spread: float = 1.5
    lifetime: timedelta
    opens: float = 0.0
    clicks: float
    falls_back: bool = False


PAST_TYPES = (
    PastType(name="critical_financial", lane=Lane.SMS_CRITICAL, channel=SMS, per_week=0.2, hour=None,
             lifetime=timedelta(hours=1), clicks=0.35, falls_back=True),
    PastType(name="payment_reminder", lane=Lane.SMS_DAILY, channel=SMS, per_week=0.6, hour=10,
             lifetime=timedelta(days=1), clicks=0.15, falls_back=True),
    PastType(name="weekly_checkin", lane=Lane.SMS_DAILY, channel=SMS, per_week=1.0, hour=18,
             lifetime=timedelta(days=3), clicks=0.12),
    PastType(name="milestone_reminder", lane=Lane.SMS_DAILY, channel=SMS, per_week=0.2, hour=12, spread=2.5,
             lifetime=timedelta(days=2), clicks=0.20),
    PastType(name="monthly_report", lane=Lane.EMAIL_REPORTS, channel=EMAIL, per_week=0.25, hour=9, spread=2.0,
             lifetime=timedelta(days=5), opens=0.65, clicks=0.30),
    PastType(name="career_insights", lane=Lane.EMAIL_EDUCATION, channel=EMAIL, per_week=0.6, hour=14, utc=True,
             lifetime=timedelta(days=7), opens=0.45, clicks=0.14),
    PastType(name="educational_content", lane=Lane.EMAIL_EDUCATION, channel=EMAIL, per_week=1.0, hour=16, utc=True,
             lifetime=timedelta(days=7), opens=0.40, clicks=0.12),
    PastType(name="onboarding_sequence", lane=Lane.EMAIL_EDUCATION, channel=EMAIL, per_week=0.5, hour=11, spread=2.0,
             lifetime=timedelta(days=3), opens=0.60, clicks=0.25),
)  # fmt: skip
WEEKLY = sum(each.per_week for each in PAST_TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A provider's habits: share delivered, seconds to delivery (median, log σ), price in USD per unit, failures."""

    provider: str
    delivered: float
    median_seconds: float
    sigma: float
    price: float
    failures: Sequence[tuple[float, str, EventKind, ErrorClass]]


CARRIERS: Mapping[Channel, Carrier] = {
    SMS: Carrier(
        provider="twilio", delivered=0.984, median_seconds=3.2, sigma=0.9, price=0.0075,
        failures=(
            (0.42, "30003", EventKind.BOUNCED_SOFT, ErrorClass.TRANSIENT_NETWORK),
            (0.18, "30005", EventKind.BOUNCED_HARD, ErrorClass.PERMANENT_ADDRESS),
            (0.10, "30006", EventKind.BOUNCED_HARD, ErrorClass.PERMANENT_ADDRESS),
            (0.16, "30007", EventKind.FAILED, ErrorClass.CONTENT_POLICY),
            (0.14, "30008", EventKind.BOUNCED_SOFT, ErrorClass.UNKNOWN),
        ),
    ),
    EMAIL: Carrier(
        provider="resend", delivered=0.991, median_seconds=1.6, sigma=1.1, price=0.0001,
        failures=(
            (0.40, "Permanent/General", EventKind.BOUNCED_HARD, ErrorClass.PERMANENT_ADDRESS),
            (0.25, "Transient/MailboxFull", EventKind.BOUNCED_SOFT, ErrorClass.TRANSIENT_NETWORK),
            (0.25, "Transient/General", EventKind.BOUNCED_SOFT, ErrorClass.TRANSIENT_NETWORK),
            (0.10, "Permanent/Suppressed", EventKind.SUPPRESSED, ErrorClass.PERMANENT_ADDRESS),
        ),
    ),
}  # fmt: skip

SKIPS: Mapping[str, float] = {
    "consent_withdrawn": 0.30, "weekly_cap": 0.25, "channel_disabled": 0.20, "suppressed_hard_bounce": 0.15,
    "expired_before_window": 0.10,
}  # fmt: skip
SKIPPED = 0.03
UNHEARD_OF = 0.004
"""Accepted by the provider, and never a word after."""
TRIED_TWICE = 0.015
HELD_BACK = 0.05
"""Accepted in the night and sent in the morning."""
RECEIPTS_LATE = 0.005
CLOCKS_SKEWED = 0.0002
UNSUBSCRIBES = 0.0012
COMPLAINS = 0.0002
PHI = 600.0
"""Overdispersion: in each five minutes the true rate is a draw from a beta of this strength."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A bad time of one channel's provider: the share delivered falls to `delivered`, latencies grow tenfold."""

    channel: Channel
    start: datetime
    end: datetime
    delivered: float


def incidents(since: datetime, until: datetime, rng: np.random.Generator) -> tuple[Incident, ...]:
    """About one incident per channel and three weeks, one to three hours each; none in the last day."""
    found = []
    for channel in CARRIERS:
        for _ in range(rng.poisson((until - since) / timedelta(days=21))):
            start = since + (until - timedelta(days=1) - since) * rng.random()
            found.append(
                Incident(
                    channel, start, start + timedelta(hours=1 + 2 * rng.random()), 0.4 + 0.45 * rng.random()
                )
            )
    return tuple(found)
