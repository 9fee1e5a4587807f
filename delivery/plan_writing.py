"""A plan written to the ledger: what waits, what is skipped, what is given up. What will be sent is opened after it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from core.errors import InvalidRequest
from core.vocabulary import ErrorClass, State
from delivery import digests, ledger
from delivery.ledger import Letter, Move
from delivery.loading import Batch, Work
from delivery.planning import Plan
from delivery.policies.base import Verdict
from delivery.reactions import retry_at


def write_plan(
    connection: Connection,
    batch: Batch,
    plan: Plan,
    broken: Sequence[tuple[Work, InvalidRequest]],
    now: datetime,
) -> dict[UUID, tuple[State, str]]:
    """Move all that will not be sent now; id → (state, reason). `broken` are those whose content can't be rendered."""
    if len(plan.send) == len(batch.work) and not broken:
        return {}
    drafts, unreadable = digests.made_of(batch, plan.gather, now)
    broken = [*broken, *unreadable]
    lost = {work.id for work, _ in unreadable}
    moves = [_verdict_move(work, State.ACCEPTED, verdict) for work, verdict in plan.wait]
    moves += [_verdict_move(work, State.SKIPPED, verdict) for work, verdict in plan.skip]
    moves += [
        _verdict_move(work, State.SKIPPED, verdict) for work, _, verdict in plan.gather if work.id not in lost
    ]
    moves += [_move(work, State.FAILED, "no_route_left") for work in plan.failed]
    letters: list[Letter] = []
    for work, error in broken:
        moves.append(step := _move(work, State.DEAD, f"render_failed: {error.field}"))
        letters.append(_letter(work, step, ErrorClass.OURS))
    for work in plan.retry:
        moves.append(step := _retry_move(work, now))
        if step.target is State.DEAD:
            letters.append(_letter(work, step, ErrorClass.TRANSIENT_NETWORK))
    ledger.move(connection, moves)
    ledger.insert(connection, drafts, relay_after=0)
    ledger.bury(connection, letters)
    return {each.id: (each.target, each.reason) for each in moves}


def _move(work: Work, target: State, reason: str) -> Move:
    return Move(id=work.id, fence=work.claimed.fence, target=target, reason=reason)


def _verdict_move(work: Work, target: State, verdict: Verdict) -> Move:
    return Move(
        id=work.id,
        fence=work.claimed.fence,
        target=target,
        reason=verdict.reason,
        deliver_after=verdict.until,
        evidence=dict(verdict.evidence),
    )


def _retry_move(work: Work, now: datetime) -> Move:
    """Wait for the routes that stumbled, as long as retries and lifetime last."""
    at = retry_at(work.type, work.claimed.tries, now, retry_after=None)
    lasting = work.claimed.tries < work.type.retries and at < work.claimed.expires_at
    return Move(
        id=work.id,
        fence=work.claimed.fence,
        target=State.ACCEPTED if lasting else State.DEAD,
        reason="retry" if lasting else "retries_exhausted",
        deliver_after=at if lasting else None,
        tried=lasting,
    )


def _letter(work: Work, step: Move, error_class: ErrorClass) -> Letter:
    return Letter(
        notification_id=work.id, reason=step.reason, error_class=error_class, attempts=work.claimed.tries + 1
    )
