"""people's active hours, and choices of send times by the key of the send"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "person_hours",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opens", sa.Integer(), nullable=False),
        sa.Column("clicks", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "channel", "at", name=op.f("pk_person_hours")),
    )
    op.drop_table("send_choices")
    op.create_table(
        "send_choices",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("message_type", sa.Text(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("took_model", sa.Boolean(), nullable=False),
        sa.Column("took_default", sa.Boolean(), nullable=False),
        sa.Column("deliver_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("chosen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_send_choices")),
    )
    op.create_index("ix_send_choices_chosen_at", "send_choices", ["chosen_at"], unique=False)
    # The rollups have no active hours yet: their next run builds all of them anew.
    op.execute("DELETE FROM rollup_state")


def downgrade() -> None:
    op.drop_table("person_hours")
