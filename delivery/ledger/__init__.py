"""The only writer of notification state, attempts and delivery events.

Every move is one conditional UPDATE built from `delivery.lifecycle`; a writer whose claim was taken over (fenced)
changes nothing. Statements work on sets: one message is a set of one.

drafts    what is accepted                    claims   who may work on it, until when, under which fence
attempts  the intent to call, and its end     moves    from state to state, by the claim's holder or by proof
facts     the delivery events                 letters  the dead letters
endings   an attempt's end, its notification's move and its event, in one statement
waiting   what waits of a campaign or for a person, put off or withdrawn
forgetting  the words of messages, taken out for good
"""

from delivery.ledger.attempts import (
    ClosedAttempt,
    Intent,
    OpenAttempt,
    close_attempts,
    close_route,
    earlier_attempts,
    end_attempt,
    open_attempts,
    other_live_attempts,
)
from delivery.ledger.claims import Claimed, announce, claim, release
from delivery.ledger.drafts import Draft, Older, insert, known_users
from delivery.ledger.endings import Answer, Ended, Ending, complete_late, end
from delivery.ledger.facts import Fact, record_facts
from delivery.ledger.forgetting import forget_calls, replace_payloads, with_payload
from delivery.ledger.letters import Letter, bury
from delivery.ledger.moves import Move, mark_doubled, move, move_by_proof, states
from delivery.ledger.waiting import withdraw_from

__all__ = [
    "Answer",
    "Claimed",
    "ClosedAttempt",
    "Draft",
    "Ended",
    "Ending",
    "Fact",
    "Intent",
    "Letter",
    "Move",
    "Older",
    "OpenAttempt",
    "announce",
    "bury",
    "claim",
    "close_attempts",
    "close_route",
    "complete_late",
    "earlier_attempts",
    "end",
    "end_attempt",
    "forget_calls",
    "insert",
    "known_users",
    "mark_doubled",
    "move",
    "move_by_proof",
    "open_attempts",
    "other_live_attempts",
    "record_facts",
    "release",
    "replace_payloads",
    "states",
    "with_payload",
    "withdraw_from",
]
