"""The legal moves of a notification's state, as data: every writer builds its conditional UPDATE from here.

accepted ─claim▶ claimed ─▶ sent ─▶ delivered ─▶ bounced, complained
   ▲  ▲            │ │       │
   │  └─defer,retry┘ └▶ unknown ─▶ sent, delivered, accepted (surely not sent), dead
   └──── replay ── dead, failed
"""

from collections.abc import Mapping

from core.vocabulary import EventKind, State

A, C, S, U = State.ACCEPTED, State.CLAIMED, State.SENT, State.UNKNOWN
D, B, M, F, K, X = State.DELIVERED, State.BOUNCED, State.COMPLAINED, State.FAILED, State.SKIPPED, State.DEAD

MOVES: Mapping[State, frozenset[State]] = {
    A: frozenset({C, K, X}),
    C: frozenset({A, S, U, K, F, X, D, B, M}),
    U: frozenset({C, A, S, D, B, M, F, X}),
    S: frozenset({A, D, B, M, F}),
    D: frozenset({B, M}),
    B: frozenset({M}),
    M: frozenset(),
    F: frozenset({A, D}),
    K: frozenset(),
    X: frozenset({A, S, D, B, M, F}),
}
"""state → states that it may become. FAILED and DEAD may become DELIVERED: a receipt outranks our guess."""

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
