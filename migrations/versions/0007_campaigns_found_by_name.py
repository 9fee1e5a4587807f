"""a campaign's messages are found by its name"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index(
        "ix_notifications_campaign",
        "notifications",
        ["campaign"],
        unique=False,
        postgresql_where=sa.text("campaign IS NOT NULL"),
    )
