"""Alembic's door: migrates the database of DATABASE_URL, or a connection handed over in the config's attributes."""

from alembic import context
from sqlalchemy import Connection

from core.database import engine
from core.models import Base


def migrate(connection: Connection) -> None:
    """Run the asked-for migrations in one transaction under an advisory lock: two starters can't collide."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=False,
        include_name=lambda name, kind, _: kind != "table" or name in Base.metadata.tables,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4711)")
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with engine().connect() as own:
        migrate(own)
        own.commit()
