"""inbound messages, withdrawals under way, and callbacks that wait without holding up others"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "inbound_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("event_key", sa.Text(), nullable=False),
        sa.Column("address_index", sa.LargeBinary(), nullable=False),
        sa.Column("address_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("intent", sa.Text(), nullable=False),
        sa.Column("matched", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", sa.Text(), server_default="", nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_by", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_messages")),
        sa.UniqueConstraint("provider", "event_key", name=op.f("uq_inbound_messages_provider_event_key")),
    )
    op.create_index(
        "ix_inbound_messages_review",
        "inbound_messages",
        ["at"],
        postgresql_where=sa.text("intent = 'review' AND reviewed_at IS NULL"),
    )
    op.create_index("ix_inbound_messages_address", "inbound_messages", ["channel", "address_index", "at"])
    op.create_table(
        "pending_withdrawals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("wording_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("wording_version", sa.Text(), server_default="", nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("ip_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("agent_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("actor", sa.Text(), server_default="user", nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_pending_withdrawals_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_withdrawals")),
        sa.UniqueConstraint(
            "user_id", "channel", "purpose", name=op.f("uq_pending_withdrawals_user_id_channel_purpose")
        ),
    )
    op.add_column(
        "callbacks",
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.drop_index("ix_callbacks_waiting", "callbacks")
    op.create_index(
        "ix_callbacks_due", "callbacks", ["due_at"], postgresql_where=sa.text("processed_at IS NULL")
    )


def downgrade() -> None:
    op.drop_index("ix_callbacks_due", "callbacks")
    op.create_index(
        "ix_callbacks_waiting",
        "callbacks",
        ["received_at"],
        postgresql_where=sa.text("processed_at IS NULL"),
    )
    op.drop_column("callbacks", "due_at")
    op.drop_table("pending_withdrawals")
    op.drop_table("inbound_messages")
