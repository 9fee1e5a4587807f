"""Many rows into Postgres at once: COPY into a table that lives as long as the transaction, then one statement."""

import io

import pyarrow as pa
from pyarrow import csv
from sqlalchemy import Connection

from core.statements import driver_cursor, execute, flush


def stage(connection: Connection, name: str, columns: str, rows: pa.Table) -> None:
    """Creates the temporary table `name` with these columns (as in CREATE TABLE, in the order of `rows`) and fills it.

    Lists are given as text in Postgres' own form, e.g. `{1,2}`; nulls are nulls.
    """
    execute(connection, f"CREATE TEMP TABLE {name} ({columns}) ON COMMIT DROP")
    text = io.BytesIO()
    csv.write_csv(rows, text, csv.WriteOptions(include_header=False))
    text.seek(0)
    with driver_cursor(connection) as cursor:
        flush(connection, cursor)
        cursor.copy_expert(f"COPY {name} FROM STDIN (FORMAT csv)", text)
