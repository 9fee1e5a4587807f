"""a ledger's owner may not change it"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # An owner has every right on a table until it is taken away; whoever grants it back leaves a trace in the catalog.
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON consents, audit_entries FROM CURRENT_USER")


def downgrade() -> None:
    op.execute("GRANT UPDATE, DELETE, TRUNCATE ON consents, audit_entries TO CURRENT_USER")
