"""What becomes of claims whose work ends badly: given back after an error of ours, buried when they kill again."""

import logging
from collections.abc import Collection, Sequence
from types import TracebackType
from uuid import UUID

from sqlalchemy import Connection

from core.database import DATABASE_AWAY, transaction
from core.settings import settings
from core.statements import rows
from core.vocabulary import ErrorClass
from delivery import ledger
from delivery.ledger import Claimed, Letter

log = logging.getLogger(__name__)

KILLS_ITS_WORKER = "kills_its_worker"


class given_back_on_error:  # noqa: N801  reads as a word of the story in its `with`
    """Release the claims when the block ends in any error; the error goes on.

    A claim that can't be released, because the database is away, waits for its lease.
    """

    def __init__(self, claimed: Sequence[Claimed]) -> None:
        self._claimed = claimed

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release, if there was an error."""
        if kind is None:
            return
        try:
            with transaction() as connection:
                released = ledger.release(connection, self._claimed)
        except DATABASE_AWAY:
            log.warning("claims_left_to_their_lease", extra={"count": len(self._claimed)})
        else:
            log.warning("claims_given_back", extra={"count": released, "error": kind.__name__})


def without_poison(claimed: Sequence[Claimed]) -> list[Claimed]:
    """Those that did not end their workers again and again; the others go to the dead letters."""
    limit = settings().claims_before_dead
    poison = {each.id for each in claimed if each.claims > limit}
    if poison:
        with transaction() as connection:
            bury_poison(connection, poison)
    return [each for each in claimed if each.id not in poison]


def bury_poison(connection: Connection, ids: Collection[UUID], trace_reference: str = "") -> int:
    """Put notifications that end their workers where they can do no more harm; how many there were."""
    buried = rows(
        connection,
        "UPDATE notifications SET state = 'dead', reason = %s, lease_until = NULL, final_at = now(), updated_at = now()"
        " WHERE id = ANY(%s::uuid[]) AND state IN ('accepted', 'claimed') RETURNING id, claims",
        (KILLS_ITS_WORKER, [str(each) for each in ids]),
    )
    ledger.bury(
        connection,
        [
            Letter(
                notification_id=row[0], reason=KILLS_ITS_WORKER, error_class=ErrorClass.OURS, attempts=row[1],
                trace_reference=trace_reference,
            )
            for row in buried
        ],
    )  # fmt: skip
    if buried:
        log.error("poison_buried", extra={"notifications": [str(row[0]) for row in buried]})
    return len(buried)


def note_crash(notification_id: UUID, *, trace_reference: str) -> None:
    """Remember an error of ours in the delivery of one; its claims were counted, and too many bury it."""
    with transaction() as connection:
        found = rows(
            connection,
            "UPDATE notifications SET reason = 'crashed', updated_at = now() WHERE id = %s AND state = 'accepted'"
            " RETURNING claims",
            (notification_id,),
        )
        if found and found[0][0] >= settings().claims_before_dead:
            bury_poison(connection, [notification_id], trace_reference)
