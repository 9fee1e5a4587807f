"""The legal moves of a notification's state, as data: every writer builds its conditional UPDATE from here.

accepted ─claim▶ claimed ─▶ sent ─▶ failed ─▶ delivered ─▶ bounced ─▶ complained
   ▲  ▲            │ │       │
   │  └─defer,retry┘ └▶ unknown ─▶ sent …, accepted (surely not sent), dead
   ├─ undelivered: once more, or the next way ── sent, unknown, claimed, failed, dead
   └─ replay ── dead, failed

What a provider proves stands in `PROVEN`, weakest first: a proof lifts a notification from anywhere below it and never
lowers it, so the order and repetition of callbacks make no difference.
"""

from collections.abc import Mapping, Sequence

from core.vocabulary import EventKind, State

A, C, S, U = State.ACCEPTED, State.CLAIMED, State.SENT, State.UNKNOWN
D, B, M, F, K, X = State.DELIVERED, State.BOUNCED, State.COMPLAINED, State.FAILED, State.SKIPPED, State.DEAD

PROVEN: Sequence[State] = (S, F, D, B, M)
"""What events prove, each outranking those before it: a delivery outranks a failure, a complaint everything."""

MOVES: Mapping[State, frozenset[State]] = {
    A: frozenset({C, K, X, S, D, M}),
    C: frozenset({A, S, U, K, F, X, D, B, M}),
    U: frozenset({C, A, S, D, B, M, F, X}),
    S: frozenset({A, D, B, M, F}),
    F: frozenset({A, D, B, M}),
    D: frozenset({B, M}),
    B: frozenset({M}),
    M: frozenset(),
    K: frozenset({S, D, B, M}),
    X: frozenset({A, S, D, B, M, F}),
}
"""state → states that it may become. What waits, was skipped or given up may turn out to have been sent: a proof
outranks our guess. A failure or bounce does not end what waits for its next try."""

FINAL = frozenset({D, B, M, F, K, X})
"""States in which nothing waits to happen (DEAD waits for a person)."""

HANDED_OVER = frozenset({S, U, D, B, M})
"""States in which the message was, or may have been, given to a provider."""

EVENT_TARGETS: Mapping[EventKind, State] = {
    EventKind.QUEUED: S,
    EventKind.SENT: S,
    EventKind.DELIVERED: D,
    EventKind.OPENED: D,
    EventKind.CLICKED: D,
    EventKind.BOUNCED_HARD: B,
    EventKind.BOUNCED_SOFT: B,
    EventKind.SUPPRESSED: F,
    EventKind.FAILED: F,
    EventKind.COMPLAINED: M,
}
"""Event → the state that it proves; an event that is not here moves nothing. An open or click proves delivery."""


def sources(target: State) -> tuple[State, ...]:
    """The states from which `target` may be reached: the WHERE of its conditional UPDATE."""
    return tuple(state for state, targets in MOVES.items() if target in targets)


def may_move(source: State, target: State) -> bool:
    """True when the move is legal."""
    return target in MOVES[source]


def after(state: State, event: EventKind) -> State:
    """The state after an event: what it proves where that is legal, unchanged otherwise."""
    target = EVENT_TARGETS.get(event)
    return target if target is not None and may_move(state, target) else state
