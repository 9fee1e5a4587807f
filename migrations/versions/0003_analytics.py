"""rollups of the delivery events, and what the analytics flows write back"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

revision = "0003"
down_revision = "0002"


class _Xid8(UserDefinedType):
    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "XID8"


# When a human first opened or clicked: marked machines, those within 3 s of the delivery, and sweeps of 3 clicks in 5 s
# are none (the same rule as analytics.machines).
FIRST_BY_HUMAN = """
CREATE FUNCTION first_by_human(times timestamptz[], machines boolean[], delivered_at timestamptz, sweeps boolean)
RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT min(answer.at) FROM (
        SELECT at, machine, sweeps AND (
                   coalesce(lead(at, 2) OVER neighbours - at <= interval '5 s', false)
                OR coalesce(lead(at) OVER neighbours - lag(at) OVER neighbours <= interval '5 s', false)
                OR coalesce(at - lag(at, 2) OVER neighbours <= interval '5 s', false)) AS swept
        FROM unnest(times, machines) AS given (at, machine)
        WINDOW neighbours AS (ORDER BY at)) AS answer
    WHERE NOT answer.machine AND NOT answer.swept
      AND (delivered_at IS NULL OR answer.at >= delivered_at + interval '3 s')
$$
"""


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    op.create_index(
        "ix_alarms_open",
        "alarms",
        ["name", "subject"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_alarms_raised", "alarms", ["raised_at"], unique=False)
    op.create_table(
        "campaign_days",
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("message_type", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("timely", sa.BigInteger(), nullable=False),
        sa.Column("bounced_hard", sa.BigInteger(), nullable=False),
        sa.Column("tracked", sa.BigInteger(), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("opened_by_machine", sa.BigInteger(), nullable=False),
        sa.Column("opened_at_all", sa.BigInteger(), nullable=False),
        sa.Column("clicked", sa.BigInteger(), nullable=False),
        sa.Column("unsubscribed", sa.BigInteger(), nullable=False),
        sa.Column("complained", sa.BigInteger(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "day", "channel", "message_type", "campaign", "template", name=op.f("pk_campaign_days")
        ),
    )
    op.create_table(
        "event_hours",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("message_type", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("is_machine", sa.Boolean(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "hour", "channel", "provider", "message_type", "kind", "is_machine", name=op.f("pk_event_hours")
        ),
    )
    op.create_table(
        "latency_hours",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("message_type", sa.Text(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "hour", "channel", "provider", "message_type", "bucket", name=op.f("pk_latency_hours")
        ),
    )
    op.create_table(
        "queue_samples",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("queued", sa.Integer(), nullable=False),
        sa.Column("unacknowledged", sa.Integer(), nullable=False),
        sa.Column("due", sa.Integer(), nullable=False),
        sa.Column("later", sa.Integer(), nullable=False),
        sa.Column("claimed", sa.Integer(), nullable=False),
        sa.Column("oldest_seconds", sa.Double(), nullable=False),
        sa.Column("arrived", sa.BigInteger(), nullable=False),
        sa.Column("served", sa.BigInteger(), nullable=False),
        sa.Column("arrivals_per_second", sa.Double(), nullable=True),
        sa.Column("services_per_second", sa.Double(), nullable=True),
        sa.Column("drain_seconds", sa.Double(), nullable=True),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("at", "lane", name=op.f("pk_queue_samples")),
    )
    op.create_index(
        "ix_queue_samples_lane", "queue_samples", ["lane", sa.literal_column("at DESC")], unique=False
    )
    op.create_table(
        "reports",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", "window_start", "window_end", name=op.f("pk_reports")),
    )
    op.create_table(
        "rollup_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("upto", _Xid8(), nullable=False),
        sa.Column(
            "refreshed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rollup_state")),
    )
    op.create_table(
        "send_choices",
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("message_type", sa.Text(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("local_hour", sa.SmallInteger(), nullable=False),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("allowed_hours", sa.SmallInteger(), nullable=False),
        sa.Column("default_hour", sa.SmallInteger(), nullable=False),
        sa.Column("best_hour", sa.SmallInteger(), nullable=False),
        sa.Column("chosen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("notification_id", name=op.f("pk_send_choices")),
    )
    op.create_index("ix_send_choices_chosen_at", "send_choices", ["chosen_at"], unique=False)
    op.create_table(
        "send_time_fits",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("fitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("strength", sa.Double(), nullable=False),
        sa.Column("rhythms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("personalise", sa.Boolean(), nullable=False),
        sa.Column("uplift", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("channel", "fitted_at", name=op.f("pk_send_time_fits")),
    )
    op.create_table(
        "try_domains",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("timely", sa.BigInteger(), nullable=False),
        sa.Column("bounced_hard", sa.BigInteger(), nullable=False),
        sa.Column("tracked", sa.BigInteger(), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("opened_by_machine", sa.BigInteger(), nullable=False),
        sa.Column("opened_at_all", sa.BigInteger(), nullable=False),
        sa.Column("clicked", sa.BigInteger(), nullable=False),
        sa.Column("unsubscribed", sa.BigInteger(), nullable=False),
        sa.Column("complained", sa.BigInteger(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "channel", "provider", "domain", name=op.f("pk_try_domains")),
    )
    op.create_table(
        "try_slots",
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("message_type", sa.Text(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("timely", sa.BigInteger(), nullable=False),
        sa.Column("bounced_hard", sa.BigInteger(), nullable=False),
        sa.Column("tracked", sa.BigInteger(), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("opened_by_machine", sa.BigInteger(), nullable=False),
        sa.Column("opened_at_all", sa.BigInteger(), nullable=False),
        sa.Column("clicked", sa.BigInteger(), nullable=False),
        sa.Column("unsubscribed", sa.BigInteger(), nullable=False),
        sa.Column("complained", sa.BigInteger(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("slot", "channel", "provider", "message_type", name=op.f("pk_try_slots")),
    )
    op.create_table(
        "user_days",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("engaged", sa.Integer(), nullable=False),
        sa.Column("negative", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "channel", "day", name=op.f("pk_user_days")),
    )
    op.create_index("ix_user_days_day", "user_days", ["day"], unique=False, postgresql_using="brin")
    op.create_table(
        "engagement_scores",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("ignored", sa.Integer(), nullable=False),
        sa.Column("is_tired", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_engagement_scores_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_engagement_scores")),
    )
    op.create_table(
        "frequency_caps",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("weekly_cap", sa.Double(), nullable=False),
        sa.Column("week", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_frequency_caps_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "channel", name=op.f("pk_frequency_caps")),
    )
    op.create_table(
        "send_times",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("curve", sa.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("best_hours", sa.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("events", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_send_times_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "channel", name=op.f("pk_send_times")),
    )
    op.execute(FIRST_BY_HUMAN)


def downgrade() -> None:
    op.execute("DROP FUNCTION first_by_human")
    for table in (
        "send_times",
        "frequency_caps",
        "engagement_scores",
        "user_days",
        "try_slots",
        "try_domains",
        "send_time_fits",
        "send_choices",
        "rollup_state",
        "reports",
        "queue_samples",
        "latency_hours",
        "event_hours",
        "campaign_days",
        "alarms",
    ):
        op.drop_table(table)
