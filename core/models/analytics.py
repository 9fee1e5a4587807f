"""What the flows write back: rollups with their watermark, results, alarms and their histories."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from core.models.base import Base, Xid8, created_column, id_column


class DeliveryRate(Base):
    """The delivery figures of one window and one grouping, replaced whole when a window is computed again."""

    __tablename__ = "delivery_rates"

    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    window_end: Mapped[datetime] = mapped_column(primary_key=True)
    grouping: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    figures: Mapped[dict[str, Any]]
    computed_at: Mapped[datetime] = created_column()


class Report(Base):
    """What an analysis found in one window, as JSON, replaced whole when the window is computed again."""

    __tablename__ = "reports"

    name: Mapped[str] = mapped_column(primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True)
    window_end: Mapped[datetime] = mapped_column(primary_key=True)
    body: Mapped[dict[str, Any]]
    computed_at: Mapped[datetime] = created_column()


class RollupState(Base):
    """How far the rollups have followed the events: all of transactions before `upto` are in them, none after."""

    __tablename__ = "rollup_state"

    name: Mapped[str] = mapped_column(primary_key=True)
    upto: Mapped[int] = mapped_column(Xid8)
    refreshed_at: Mapped[datetime] = created_column()


class EventHour(Base):
    """How many events of a kind happened in an hour, repetitions included."""

    __tablename__ = "event_hours"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    message_type: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    is_machine: Mapped[bool] = mapped_column(primary_key=True)
    events: Mapped[int] = mapped_column(BigInteger)


class TryCounts:
    """What became of a group of tries, by the time of their sending; a try counts at most once in each column."""

    sent: Mapped[int] = mapped_column(BigInteger)
    ended: Mapped[int] = mapped_column(BigInteger)
    delivered: Mapped[int] = mapped_column(BigInteger)
    timely: Mapped[int] = mapped_column(BigInteger)
    bounced_hard: Mapped[int] = mapped_column(BigInteger)
    tracked: Mapped[int] = mapped_column(BigInteger)
    opened: Mapped[int] = mapped_column(BigInteger)
    opened_by_machine: Mapped[int] = mapped_column(BigInteger)
    opened_at_all: Mapped[int] = mapped_column(BigInteger)
    clicked: Mapped[int] = mapped_column(BigInteger)
    unsubscribed: Mapped[int] = mapped_column(BigInteger)
    complained: Mapped[int] = mapped_column(BigInteger)
    micros: Mapped[int] = mapped_column(BigInteger)


class TrySlot(TryCounts, Base):
    """The tries sent in five minutes; `micros` is their cost in millionths of a US dollar."""

    __tablename__ = "try_slots"

    slot: Mapped[datetime] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    message_type: Mapped[str] = mapped_column(primary_key=True)


class TryDomain(TryCounts, Base):
    """The tries sent in an hour to one mail domain or carrier."""

    __tablename__ = "try_domains"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    domain: Mapped[str] = mapped_column(primary_key=True)


class CampaignDay(TryCounts, Base):
    """The tries sent on a UTC day for one campaign with one template."""

    __tablename__ = "campaign_days"

    day: Mapped[datetime] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    message_type: Mapped[str] = mapped_column(primary_key=True)
    campaign: Mapped[str] = mapped_column(primary_key=True)
    template: Mapped[str] = mapped_column(primary_key=True)


class LatencyHour(Base):
    """How many tries sent in an hour took a time of one bucket (`analytics.latency`) to be delivered."""

    __tablename__ = "latency_hours"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    message_type: Mapped[str] = mapped_column(primary_key=True)
    bucket: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    tries: Mapped[int] = mapped_column(BigInteger)


class UserDay(Base):
    """A person's UTC day on one channel: tries sent, first engaged with by a human, and answered by a goodbye."""

    __tablename__ = "user_days"
    __table_args__ = (Index("ix_user_days_day", "day", postgresql_using="brin"),)

    user_id: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[datetime] = mapped_column(primary_key=True)
    sent: Mapped[int]
    engaged: Mapped[int]
    negative: Mapped[int]


class Alarm(Base):
    """Something that needs a person, raised once and ended when it is over: what (`name`), where (`subject`)."""

    __tablename__ = "alarms"
    __table_args__ = (
        Index("ix_alarms_open", "name", "subject", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_alarms_raised", "raised_at"),
    )

    id: Mapped[UUID] = id_column()
    name: Mapped[str]
    subject: Mapped[str]
    sentence: Mapped[str]
    details: Mapped[dict[str, Any]]
    raised_at: Mapped[datetime] = created_column()
    ended_at: Mapped[datetime | None]


class QueueSample(Base):
    """A lane at one moment: what waits where, how fast it comes and goes, and how many workers it should have."""

    __tablename__ = "queue_samples"
    __table_args__ = (Index("ix_queue_samples_lane", "lane", text("at DESC")),)

    at: Mapped[datetime] = mapped_column(primary_key=True)
    lane: Mapped[str] = mapped_column(primary_key=True)
    queued: Mapped[int]
    unacknowledged: Mapped[int]
    due: Mapped[int]
    later: Mapped[int]
    claimed: Mapped[int]
    oldest_seconds: Mapped[float]
    arrived: Mapped[int] = mapped_column(BigInteger)
    served: Mapped[int] = mapped_column(BigInteger)
    arrivals_per_second: Mapped[float | None]
    services_per_second: Mapped[float | None]
    drain_seconds: Mapped[float | None]
    concurrency: Mapped[int]
    wanted: Mapped[int]


class EngagementScore(Base):
    """How likely a person is to engage in the next week, as a percentile, with what fatigue needs."""

    __tablename__ = "engagement_scores"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    score: Mapped[float]
    probability: Mapped[float]
    tier: Mapped[str]
    ignored: Mapped[int]
    is_tired: Mapped[bool]
    updated_at: Mapped[datetime] = created_column()


class FrequencyCap(Base):
    """The learnt messages per week of a person and channel; an explicit preference always stands above it."""

    __tablename__ = "frequency_caps"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    weekly_cap: Mapped[float]
    week: Mapped[datetime]
