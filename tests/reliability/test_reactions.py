"""What we do about an outcome, as a table; and the arithmetic of retries."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.vocabulary import ErrorClass, OutcomeKind, Urgency
from delivery.catalog import catalog
from delivery.messages import Outcome
from delivery.reactions import TABLE, Reaction, closes, reaction, retry_at

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
CRITICAL, URGENT, NORMAL, LOW = (
    "critical_financial",
    "payment_reminder",
    "weekly_checkin",
    "educational_content",
)
R = Reaction
K = OutcomeKind

EXPECTED = [
    # outcome               critical      urgent        normal        low
    (K.ACCEPTED,            R.DONE,       R.DONE,       R.DONE,       R.DONE),
    (K.REFUSED_FOR_GOOD,    R.NEXT_ROUTE, R.NEXT_ROUTE, R.NEXT_ROUTE, R.NEXT_ROUTE),
    (K.UNKNOWN,             R.AWAIT_RECEIPT, R.AWAIT_RECEIPT, R.AWAIT_RECEIPT, R.AWAIT_RECEIPT),
    (K.RETRY_LATER,         R.NEXT_ROUTE, R.RETRY,      R.RETRY,      R.RETRY),
    (K.QUOTA_EXHAUSTED,     R.NEXT_ROUTE, R.NEXT_ROUTE, R.RETRY,      R.RETRY),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        (row[0], name, wanted)
        for row in EXPECTED
        for name, wanted in zip((CRITICAL, URGENT, NORMAL, LOW), row[1:], strict=True)
    ],
)
def test_outcome_and_urgency_decide_the_next_step(kind, name, expected):
    assert reaction(Outcome(kind), catalog()[name]) is expected


@pytest.mark.parametrize("kind", [K.REFUSED_FOR_GOOD, K.RETRY_LATER])
@pytest.mark.parametrize("name", [CRITICAL, LOW])
def test_a_message_that_is_wrong_in_itself_goes_to_the_dead_letters_whatever_its_urgency(kind, name):
    assert reaction(Outcome(kind, error_class=ErrorClass.OURS), catalog()[name]) is Reaction.DEAD_LETTER


def test_doubt_outranks_our_own_mistake():
    assert reaction(Outcome(K.UNKNOWN, error_class=ErrorClass.OURS), catalog()[LOW]) is Reaction.AWAIT_RECEIPT


def test_the_table_has_an_answer_for_everything():
    assert set(TABLE) == set(OutcomeKind)
    assert all(set(row) == set(Urgency) for row in TABLE.values())


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(K.ACCEPTED), ""),
        (Outcome(K.RETRY_LATER), ""),
        (Outcome(K.UNKNOWN), ""),
        (Outcome(K.REFUSED_FOR_GOOD), "route"),
        (Outcome(K.REFUSED_FOR_GOOD, misconfigured=True), ""),
        (Outcome(K.REFUSED_FOR_GOOD, error_class=ErrorClass.OURS), ""),
        (Outcome(K.REFUSED_FOR_GOOD, next_channel=True), "channel"),
        (Outcome(K.REFUSED_FOR_GOOD, suppress_address=True), "channel"),
        (Outcome(K.REFUSED_FOR_GOOD, revoke_consent=True), "channel"),
    ],
)
def test_what_an_outcome_rules_out(outcome, expected):
    assert closes(outcome) == expected


@given(
    st.sampled_from(list(catalog().values())),
    st.integers(0, 3),
    st.none() | st.floats(0, 86_400),
)
def test_a_retry_waits_at_most_its_doubled_backoff_and_never_less_than_the_provider_asks(row, tries, asked):
    wait = (retry_at(row, tries, NOW, retry_after=asked) - NOW).total_seconds()
    longest = row.backoff.total_seconds() * 2**tries
    assert (asked or 1.0) - 1e-5 <= wait <= max(longest, asked or 0.0) + 1e-5


def test_retries_of_many_are_spread_over_the_whole_time():
    row = catalog()[NORMAL]
    waits = sorted((retry_at(row, 0, NOW, retry_after=None) - NOW).total_seconds() for _ in range(2000))
    base = row.backoff.total_seconds()
    assert waits[200] < base * 0.2 < base * 0.8 < waits[1800]
    assert timedelta(seconds=waits[-1]) <= row.backoff
