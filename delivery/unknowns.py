"""Unknown outcomes: resolved by receipt first; after a settle time by repeating (where a key makes it safe) or by
asking the provider's own list; and only then by a rule per urgency.

unknown ─take▶ claimed ─┬─ repeat, same key, same bytes, in time ▶ sent, refused, unknown
                        ├─ the provider's list ─ found ─────────▶ sent
                        │                      └ not there ─────▶ accepted (surely not sent: a retry)
                        └─ nobody can say ─ critical, in the end ▶ accepted, another route, `possible_duplicate`
                                          └ the others ──────────▶ unknown, in the end dead

A message is never sent again while the provider may have it, except a critical one, marked `possible_duplicate`.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

from core.clock import utc_now
from core.database import transaction
from core.settings import settings
from core.statements import execute, rows
from core.stopping import is_stopping
from core.vocabulary import ErrorClass, State
from delivery import ledger
from delivery.holding import bury_poison
from delivery.interrupted import Interrupted, interrupted_calls, repeat
from delivery.ledger import Letter, Move
from delivery.provider_lists import NOT_THERE, look_up
from delivery.settlement import look_again_at, settle_surely

log = logging.getLogger(__name__)

AT_ONCE = 200
ASKED_SIDE_BY_SIDE = 8
DOUBT_AFTER_EXPIRY = timedelta(days=1)
"""How long after its time a message that is not critical is kept in doubt before a person looks at it."""


def resolve_unknown(*, for_seconds: float = 10.0) -> dict[str, int]:
    """Bring unknown notifications that are due for a look towards an end; how many ended in which way.

    Begins new pages for `for_seconds`; one that was lost with its worker before is looked at alone.
    """
    counts: Counter[str] = Counter()
    until = time.monotonic() + for_seconds
    while time.monotonic() < until and not is_stopping():
        taken, calls = _take()
        if not taken:
            break
        counts += _resolve(taken, calls)
    if counts:
        log.info("unknown_resolved", extra={"counts": dict(counts)})
    return dict(counts)


def _take() -> tuple[set[UUID], list[list[Interrupted]]]:
    """Claim a page of unknowns; those that ended their worker too often are buried."""
    with transaction() as connection:
        found = rows(
            connection,
            "WITH due AS (SELECT id, claims, deliver_after FROM notifications WHERE state = 'unknown'"
            "  AND deliver_after <= now() ORDER BY claims > 0, deliver_after LIMIT %s FOR UPDATE SKIP LOCKED),"
            " page AS (SELECT id FROM due WHERE claims = 0 UNION ALL (SELECT id FROM due WHERE claims > 0"
            "  AND NOT EXISTS (SELECT FROM due WHERE claims = 0) ORDER BY deliver_after LIMIT 1))"
            " UPDATE notifications n SET state = 'claimed', fence = n.fence + 1, claims = n.claims + 1,"
            "  updated_at = now(), lease_until = now() + make_interval(secs => %s) FROM page"
            " WHERE n.id = page.id RETURNING n.id, n.claims",
            (AT_ONCE, settings().lease_seconds),
        )
        poison = {row[0] for row in found if row[1] > settings().claims_before_dead}
        if poison:
            bury_poison(connection, poison)
        ids = {row[0] for row in found}
        return ids, interrupted_calls(connection, ids - poison)


def _resolve(taken: set[UUID], calls: Sequence[Sequence[Interrupted]]) -> Counter[str]:
    again = [call for call in calls if all(each.repeatable and not each.is_given_up for each in call)]
    repeat(again)
    others = [each for call in calls if call not in again for each in call]
    counts = Counter({"repeated": sum(len(call) for call in again)})
    by_person: dict[UUID, list[Interrupted]] = defaultdict(list)
    for each in others:
        if each.sent.notification_id in taken:
            by_person[each.contact_point_id].append(each)
    if by_person:
        with ThreadPoolExecutor(ASKED_SIDE_BY_SIDE, thread_name_prefix="ask") as threads:
            for found in threads.map(_ask_all, by_person.values()):
                counts.update(found)
    held = {each.sent.notification_id for call in calls for each in call}
    _give_to_recovery(taken - held)
    return +counts


def _give_to_recovery(ids: set[UUID]) -> None:
    """What has no unsettled attempt any more was settled by somebody else meanwhile: `recover_lapsed` finds how."""
    if ids:
        with transaction() as connection:
            execute(
                connection,
                "UPDATE notifications SET lease_until = now() WHERE id = ANY(%s::uuid[]) AND state = 'claimed'",
                ([str(each) for each in ids],),
            )


def _ask_all(attempts: Sequence[Interrupted]) -> list[str]:
    """One after the other: two messages of the same text to one person must not find the same record."""
    return [_ask(each) for each in sorted(attempts, key=lambda each: each.opened_at)]


def _ask(each: Interrupted) -> str:
    outcome = look_up(each)
    if outcome is None:
        return _undecided(each)
    how = "not_at_provider" if outcome is NOT_THERE else "found_at_provider"
    settle_surely([each.sent], {each.sent.attempt_id: outcome}, resolved_by=how)
    return how


def _undecided(each: Interrupted) -> str:
    """The provider can't be asked: critical goes on by another route, the rest waits, in the end for a person."""
    now = utc_now()
    sent = each.sent
    target, reason, due = State.UNKNOWN, "provider_silent", look_again_at(sent, now)
    if each.is_given_up:
        target, reason, due = State.ACCEPTED, "given_up_waiting", now
    elif now > sent.expires_at + DOUBT_AFTER_EXPIRY:
        target, reason = State.DEAD, "outcome_unknown"
    move = Move(
        id=sent.notification_id, fence=sent.fence, target=target, reason=reason,
        deliver_after=due if target is not State.DEAD else None, possible_duplicate=target is State.ACCEPTED,
    )  # fmt: skip
    with transaction() as connection:
        moved = ledger.move(connection, [move])
        if target is State.ACCEPTED and moved:
            ledger.close_route(connection, sent.attempt_id)
        elif target is State.DEAD and moved:
            letter = Letter(
                notification_id=sent.notification_id, reason=reason, error_class=ErrorClass.UNKNOWN,
                attempts=sent.tries + 1,
            )  # fmt: skip
            ledger.bury(connection, [letter])
    return "still_unknown" if target is State.UNKNOWN else reason
