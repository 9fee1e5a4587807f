"""The state machine as data: whatever order providers speak in and however often, the same story comes out."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.vocabulary import EventKind, State
from delivery.lifecycle import (
    EVENT_TARGETS,
    FINAL,
    HANDED_OVER,
    MOVES,
    PROVEN,
    after,
    may_move,
    sources,
)

IN_A_PROVIDERS_HANDS = [State.CLAIMED, State.UNKNOWN, State.SENT, State.DEAD, *PROVEN[1:]]
events = st.lists(st.sampled_from(EventKind), max_size=12)


def told(state: State, story: list[EventKind]) -> State:
    for event in story:
        state = after(state, event)
    return state


@given(st.sampled_from(IN_A_PROVIDERS_HANDS), events, st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_events_ends_in_the_same_state(state, story, dice):
    shuffled = story + dice.choices(story, k=len(story)) if story else []
    dice.shuffle(shuffled)
    assert told(state, shuffled) is told(state, story)


@given(st.sampled_from(IN_A_PROVIDERS_HANDS), events)
def test_the_strongest_proof_wins_and_nothing_ever_falls_back(state, story):
    proofs = [EVENT_TARGETS[event] for event in story if event in EVENT_TARGETS]
    if state in PROVEN:
        proofs.append(state)
    expected = max(proofs, key=PROVEN.index) if proofs else state
    assert told(state, story) is expected


@given(st.sampled_from(State), events)
def test_every_step_of_every_story_is_a_legal_move(state, story):
    for event in story:
        then = after(state, event)
        assert then is state or may_move(state, then)
        state = then


def test_a_delivered_message_may_still_bounce_or_be_complained_about_and_nothing_else():
    assert MOVES[State.DELIVERED] == {State.BOUNCED, State.COMPLAINED}


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [pair for pair in permutations(PROVEN, 2) if PROVEN.index(pair[0]) < PROVEN.index(pair[1])],
)
def test_a_stronger_proof_is_never_undone(weaker, stronger):
    assert may_move(weaker, stronger)
    assert not may_move(stronger, weaker)


@given(events)
def test_what_waits_for_its_next_try_is_ended_by_a_delivery_but_not_by_a_failure(story):
    proofs = {EVENT_TARGETS.get(event) for event in story} - {None}
    ended = told(State.ACCEPTED, story)
    if proofs <= {State.FAILED, State.BOUNCED}:
        assert ended is State.ACCEPTED
    if State.DELIVERED in proofs:
        assert ended in {State.DELIVERED, State.BOUNCED, State.COMPLAINED}


def test_only_a_claim_starts_work_and_only_from_what_waits_or_is_in_doubt():
    assert set(sources(State.CLAIMED)) == {State.ACCEPTED, State.UNKNOWN}


def test_every_state_has_its_moves_and_every_move_a_known_state():
    assert set(MOVES) == set(State)
    assert all(target in MOVES for targets in MOVES.values() for target in targets)


def test_what_is_final_waits_for_nothing_and_everything_else_can_end():
    assert set(State) - FINAL == {State.ACCEPTED, State.CLAIMED, State.SENT, State.UNKNOWN}
    for state in set(State) - FINAL:
        assert MOVES[state] & FINAL


def test_what_was_handed_over_is_never_skipped():
    for state in HANDED_OVER - {State.UNKNOWN}:
        assert State.SKIPPED not in MOVES[state]
