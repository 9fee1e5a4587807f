"""The schema: models and migrations agree, ledgers only grow, and nothing that names a person lies open."""

import psycopg2.errors
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import LargeBinary

from core.models import Base, Sealed
from core.statements import execute, rows
from delivery.people import add_people
from tests.delivery.stage import person

NAMES_A_THING = {"alarms", "bills", "campaigns", "delivery_rates", "goals", "reports", "rollup_state"}
"""Tables whose `name` is that of a bill, a goal, a figure or a watermark."""
NAMES_A_PERSON = {"name", "address", "ip", "agent", "payload", "rendered", "email", "phone"}


@pytest.mark.filterwarnings(
    "ignore:Did not recognize type 'xid8'"
)  # PostgreSQL's, unknown to SQLAlchemy's reflection
def test_the_migrations_make_exactly_the_models(connection):
    def of_ours(name, kind, parents):
        return kind != "table" or name in Base.metadata.tables

    context = MigrationContext.configure(connection, opts={"include_name": of_ours})
    assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE consents SET action = 'grant'", "DELETE FROM consents", "TRUNCATE consents"]
)
def test_the_consent_ledger_refuses_every_change(connection, statement):
    add_people(connection, [person("Maya", 101)])
    with pytest.raises(psycopg2.errors.RestrictViolation):
        execute(connection, statement)


@pytest.mark.parametrize("ledger", ["consents", "audit_entries"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET actor = 'nobody'", "DELETE FROM {}", "TRUNCATE {}"])
def test_not_even_the_tables_owner_has_the_right_to_change_a_ledger(connection, ledger, statement):
    """A superuser is held by the trigger alone; an owner would be held by it too, and already lacks the privilege."""
    add_people(connection, [person("Maya", 101)])
    execute(connection, "CREATE ROLE mingus_owner NOSUPERUSER")
    execute(connection, "GRANT CREATE ON SCHEMA public TO mingus_owner")
    execute(connection, f"ALTER TABLE {ledger} OWNER TO mingus_owner")
    execute(connection, "SET LOCAL ROLE mingus_owner")
    assert rows(connection, f"SELECT count(*) FROM {ledger}")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        execute(connection, statement.format(ledger))


def test_columns_that_name_a_person_are_sealed():
    bare = [
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name.removesuffix("_sealed") in NAMES_A_PERSON
        and not isinstance(column.type, Sealed | LargeBinary)
        and table.name not in NAMES_A_THING
    ]
    assert bare == []


def test_addresses_and_names_are_nowhere_in_the_rows(connection):
    add_people(connection, [person("Maya", 101)])
    stored = str(
        rows(
            connection,
            "SELECT users::text, contact_points::text, consents::text FROM users, contact_points, consents",
        )
    )
    assert "Maya" not in stored
    assert "5125550101" not in stored
    assert "mingus.example" in stored  # the domain alone is kept, for delivery rates
    assert "maya@" not in stored
