"""a message costs fewer index entries: keys only where there is one, no index of open attempts

Every claim, publication and settlement of a notification writes all its indexes anew. Most messages have no idempotency
key, and which attempts are open is found by the claimed notifications.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.drop_constraint("uq_notifications_idempotency_key", "notifications", type_="unique")
    op.create_index(
        "uq_notifications_idempotency_key",
        "notifications",
        ["idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.drop_index("ix_attempts_open", table_name="attempts")
