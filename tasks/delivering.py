"""Delivering in a worker: an error of ours harms one message, and alerts that come together are delivered together.

Each single alert costs a dozen round trips. While one delivery is under way, those that come wait for its end, at most
`PATIENCE` seconds, and then go together (as a database groups its commits): a burst shares its round trips, a lone alert
waits for nobody, and a slow provider makes more deliveries go side by side.
"""

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from core.database import DATABASE_AWAY, transaction
from core.vocabulary import State
from delivery import deliver, ledger
from delivery.holding import note_crash
from tasks.room import CRITICAL_CHUNK

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 4
"""Deliveries of single alerts that are under way at a time in one process, at most."""
PATIENCE = 0.025
"""How long those that come wait for the end of the delivery before them, before they make one of their own."""
NOT_SENT = frozenset({State.SKIPPED, State.FAILED, State.DEAD})


def deliver_one(notification_id: UUID) -> bool:
    """Deliver one; True when it was handed over or waits safely, False when it will not be sent."""
    state = _together(notification_id)
    if state is None:  # another worker's, or settled before
        with transaction() as connection:
            state = ledger.states(connection, [notification_id]).get(notification_id)
    return state is not None and state not in NOT_SENT


def deliver_safely(ids: Sequence[UUID]) -> Mapping[UUID, State]:
    """Deliver all, id → state of those that were ours to deliver.

    An error of ours in one is counted against that one and does not hold up the others. A lost database is raised:
    nothing was lost with it, and the relay brings the ids back.
    """
    try:
        return {each: state for each, (state, _) in deliver(ids).states.items()}
    except DATABASE_AWAY:
        raise
    except (
        Exception
    ):  # the one place where any error is caught: it becomes a dead letter, never a silent loss
        if len(ids) > 1:
            return {each: state for one in ids for each, state in deliver_safely([one]).items()}
        reference = uuid.uuid4().hex
        log.exception("delivery_crashed", extra={"notification": str(ids[0]), "trace_reference": reference})
        note_crash(ids[0], trace_reference=reference)
        return {}


class _Ticket:
    """One alert's place: it leads a delivery, or another has taken it along, or it still waits."""

    __slots__ = ("called", "error", "leads", "notification_id", "state")

    def __init__(self, notification_id: UUID) -> None:
        self.notification_id = notification_id
        self.called = threading.Event()
        self.leads = False
        self.state: State | None = None
        self.error: BaseException | None = None


class Together:
    """Calls of many threads made into few deliveries of up to `most` ids, at most `side_by_side` of them at a time."""

    def __init__(
        self,
        delivery: Callable[[Sequence[UUID]], Mapping[UUID, State]],
        *,
        side_by_side: int = SIDE_BY_SIDE,
        most: int = CRITICAL_CHUNK,
        patience: float = PATIENCE,
    ) -> None:
        self._delivery, self._most, self._patience = delivery, most, patience
        self._side_by_side = side_by_side
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket] = deque()
        self._under_way = 0
        self._last_began = 0.0

    def __call__(self, notification_id: UUID) -> State | None:
        """The state that the delivery brought it to, None where it was not ours; an error is raised in all callers."""
        mine = _Ticket(notification_id)
        with self._lock:
            self._waiting.append(mine)
            self._begin_next()
        while not mine.called.wait(self._patience):
            with self._lock:
                self._begin_next()
        if mine.leads:
            self._lead(mine)
        if mine.error is not None:
            raise mine.error
        return mine.state

    def _begin_next(self) -> None:
        """Let the first that waits lead, if it is time (under the lock)."""
        late = time.monotonic() - self._last_began >= self._patience
        free = self._under_way == 0 or (self._under_way < self._side_by_side and late)
        if self._waiting and free:
            self._under_way += 1
            self._last_began = time.monotonic()
            first = self._waiting.popleft()
            first.leads = True
            first.called.set()

    def _lead(self, mine: _Ticket) -> None:
        with self._lock:
            party = [mine, *(self._waiting.popleft() for _ in range(min(len(self._waiting), self._most - 1)))]
        try:
            states = self._delivery([each.notification_id for each in party])
            for each in party:
                each.state = states.get(each.notification_id)
        except BaseException as error:  # theirs too: each raises it
            for each in party[1:]:
                each.error = error
            raise
        finally:
            with self._lock:
                self._under_way -= 1
                self._begin_next()
            for each in party[1:]:
                each.called.set()


_together = Together(deliver_safely)
