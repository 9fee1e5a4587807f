"""Delivering in a worker: an error of ours harms one message, and alerts that come together are delivered together.

Each single alert costs a dozen round trips. When several wait for a free place, the one that gets it takes the others
along (as a database groups its commits): a burst shares its round trips, a lone alert waits for nobody.
"""

import logging
import threading
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
"""Deliveries of single alerts that are under way at a time in one process."""
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
    """One alert's place: it leads a delivery, or waits until another has taken it along or handed over the lead."""

    __slots__ = ("called", "error", "leads", "notification_id", "state")

    def __init__(self, notification_id: UUID) -> None:
        self.notification_id = notification_id
        self.called = threading.Event()
        self.leads = False
        self.state: State | None = None
        self.error: BaseException | None = None


class Together:
    """Calls of many threads made into few deliveries of up to `most` ids, `side_by_side` of them at a time."""

    def __init__(
        self,
        delivery: Callable[[Sequence[UUID]], Mapping[UUID, State]],
        *,
        side_by_side: int = SIDE_BY_SIDE,
        most: int = CRITICAL_CHUNK,
    ) -> None:
        self._delivery, self._free, self._most = delivery, side_by_side, most
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket] = deque()

    def __call__(self, notification_id: UUID) -> State | None:
        """The state that the delivery brought it to, None where it was not ours; an error is raised in all callers."""
        mine = _Ticket(notification_id)
        with self._lock:
            if self._free:
                self._free -= 1
                mine.leads = True
            else:
                self._waiting.append(mine)
        if not mine.leads:
            mine.called.wait()
        if mine.leads:
            self._lead(mine)
        if mine.error is not None:
            raise mine.error
        return mine.state

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
            self._hand_over()
            for each in party[1:]:
                each.called.set()

    def _hand_over(self) -> None:
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            following = self._waiting.popleft()
        following.leads = True
        following.called.set()


_together = Together(deliver_safely)
