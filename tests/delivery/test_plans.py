"""How PostgreSQL reaches the rows of a message: by its id, however small or large a table was when it made the plan."""

from collections.abc import Iterator
from typing import Any

import pytest

from core import database as core_database
from core.database import transaction
from core.statements import rows
from delivery import asking
from delivery.ledger import attempts, claims, endings, moves
from tests.delivery.stage import person
from tests.reliability.story import alert

WAYS = {
    claims._CLAIM: {"pk_notifications"},
    attempts._CLOSE_ALL: {"pk_attempts"},
    moves._MOVE_ALL: {"pk_notifications"},
    endings._END: {"pk_notifications", "pk_attempts"},
    asking._QUESTION: {"pk_notifications", "ix_notifications_sent", "ix_notifications_user"},
}
"""The indexes by which a hot statement may go to notifications and attempts, its plan made for any value."""
SCANS = {"Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Index Scan"}
"""Ways into a table; one without a condition on its index reads through all of it, and its price grows with the log."""


@pytest.fixture(autouse=True)
def _as_in_a_worker(database, monkeypatch):
    monkeypatch.setattr(core_database, "_scanning", "")
    core_database.never_scan()
    yield
    core_database.dispose()


@pytest.mark.parametrize("statement", WAYS, ids=lambda each: each.name)
@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_a_row_is_reached_by_its_id(people, statement, filled):
    if filled:
        people(*(person(f"P{n}", n) for n in range(20)))
        for n in range(20):
            alert(f"user_p{n}")
    with transaction() as connection:
        if filled:
            rows(connection, "ANALYZE notifications")
        ((plan,),) = rows(connection, f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {statement.sql}")
    scans = [node for node in _nodes(plan[0]["Plan"]) if node["Node Type"] in SCANS]
    assert [node for node in scans if "Index Cond" not in node] == []
    used = {node["Index Name"] for node in scans}
    assert {name for name in used if name.split("_")[1] in {"notifications", "attempts"}} <= WAYS[statement]


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)
