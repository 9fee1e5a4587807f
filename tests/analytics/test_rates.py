"""Rates: the golden Wilson intervals, definitions on a small day of Maya, Jamal and Priya, and what bad input meets."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.frames import EVENTS, FutureWindow, InvalidFrame, require_columns, require_past_window
from analytics.intervals import as_percentage, fit_beta_prior, wilson
from analytics.machines import mark_machines
from analytics.rates import COUNTED, RATES, count, rates, summarise
from core.errors import InvalidRequest

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def event(notification, kind, seconds=0.0, *, user="maya", channel="email", is_machine=False, **more):
    row = {
        "notification_id": notification, "user_id": user, "channel": channel,
        "provider": "resend" if channel == "email" else "twilio", "message_type": "monthly_report", "event": kind,
        "at": NOON + timedelta(seconds=seconds), "is_machine": is_machine, "domain_or_carrier": "example.com",
        "error_code": None,
    }  # fmt: skip
    return row | more


def events_of(*rows):
    frame = pd.DataFrame(list(rows), columns=list(EVENTS))
    return frame.assign(
        at=pd.to_datetime(frame["at"], utc=True).astype("datetime64[us, UTC]"),
        is_machine=frame["is_machine"].astype(bool),
        error_code=frame["error_code"].astype("str"),
    )


def value(table, rate):
    row = table[table["rate"] == rate].iloc[0]
    return int(row["hits"]), int(row["total"])


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        (0, 10, 0, 0.2775),
        (95, 100, 0.8882, 0.9785),
        (985, 1000, 0.9754, 0.9909),
        (0, 0, 0, 1),
        (7, 7, 0.6457, 1),
    ],
)
def test_wilson_gives_the_golden_intervals(hits, total, low, high):
    found = wilson(hits, total)
    assert found[0] == pytest.approx(low, abs=5e-5)
    assert found[1] == pytest.approx(high, abs=5e-5)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_wilson_stays_within_0_and_1_holds_the_share_and_grows_with_the_successes(case):
    hits, total = case
    low, high = wilson([hits, hits + 1], [total, total])
    assert np.all((low >= 0) & (high <= 1) & (low <= high))
    assert low[0] <= hits / total <= high[0]
    assert low[0] <= low[1]
    assert high[0] <= high[1]


def test_more_successes_than_tries_is_refused_with_the_field():
    with pytest.raises(InvalidRequest, match="successes: must lie between 0 and totals"):
        wilson([11], [10])


def test_shrinkage_moves_a_small_group_to_the_others_and_leaves_a_big_one_alone():
    hits, totals = np.array([0, 300, 5000, 700]), np.array([2, 1000, 10_000, 1000])
    prior = fit_beta_prior(hits, totals)
    shrunk = prior.shrink(hits, totals)
    assert 0.2 < shrunk[0] < 0.6
    assert shrunk[2] == pytest.approx(0.5, abs=0.001)


def test_the_prior_finds_the_strength_that_the_groups_were_drawn_with():
    rng = np.random.default_rng(3)
    totals = rng.integers(50, 500, 4000)
    prior = fit_beta_prior(rng.binomial(totals, rng.beta(0.3 * 80, 0.7 * 80, 4000)), totals)
    assert prior.mean == pytest.approx(0.3, abs=0.01)
    assert prior.strength == pytest.approx(80, rel=0.1)


@pytest.mark.parametrize(
    ("hits", "totals"), [([], []), ([0, 0], [0, 0]), ([3], [10]), ([0, 0], [50, 60]), ([5, 6], [5, 6])]
)
def test_a_prior_of_next_to_nothing_is_still_proper(hits, totals):
    prior = fit_beta_prior(np.array(hits), np.array(totals))
    assert 0 < prior.mean < 1
    assert np.isfinite(prior.strength)
    low, high = prior.interval(hits, totals)
    assert np.all(low <= high)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=30))
def test_shrunk_rates_lie_between_the_own_rate_and_the_mean(groups):
    hits = np.array([min(pair) for pair in groups])
    totals = np.array([max(pair) for pair in groups])
    prior = fit_beta_prior(hits, totals)
    own = np.where(totals > 0, hits / np.maximum(totals, 1), prior.mean)
    shrunk = prior.shrink(hits, totals)
    assert np.all(shrunk >= np.minimum(own, prior.mean) - 1e-12)
    assert np.all(shrunk <= np.maximum(own, prior.mean) + 1e-12)


def test_a_percentage_of_too_few_is_not_shown():
    assert as_percentage(0.5, 29, low=0.3, high=0.7) == "too few: 29 of 30"
    assert as_percentage(0.985, 1000, low=0.9754, high=0.9909) == "98.5 % [97.5–99.1]"


def test_a_young_try_is_pending_and_no_failure():
    events = events_of(
        event(1, "sent", -60), event(2, "sent", -900), event(3, "sent", -900), event(3, "delivered", -890)
    )
    table = rates(count(summarise(events, now=NOON)))
    assert value(table, "delivery") == (1, 2)
    assert value(table, "timely_delivery") == (1, 2)


def test_a_late_delivery_counts_as_delivered_but_not_as_timely():
    events = events_of(event(1, "sent", -7200), event(1, "delivered", -3600))
    table = rates(count(summarise(events, now=NOON)))
    assert value(table, "delivery") == (1, 1)
    assert value(table, "timely_delivery") == (0, 1)


def test_jamals_proxy_opens_are_told_apart_and_repeated_callbacks_count_once():
    events = events_of(
        *(row for n in (1, 2, 3) for row in (event(n, "sent", -9000), event(n, "delivered", -8990))),
        event(1, "opened", -8000), event(1, "opened", -7000), event(1, "opened", -8989, is_machine=True),
        event(2, "opened", -8989, is_machine=True), event(1, "clicked", -7999), event(1, "clicked", -7999),
    )  # fmt: skip
    table = rates(count(summarise(events, now=NOON)))
    assert value(table, "human_open") == (1, 3)
    assert value(table, "machine_open_share") == (1, 2)
    assert value(table, "click") == (1, 3)


def test_texts_have_no_open_rate_at_all_rather_than_one_of_zero():
    events = events_of(event(1, "sent", -9000, channel="sms"), event(1, "delivered", -8990, channel="sms"))
    table = rates(count(summarise(events, now=NOON)))
    assert "human_open" not in set(table["rate"])
    assert value(table, "delivery") == (1, 1)


def test_a_fallback_is_a_try_of_each_channel():
    events = events_of(
        event(1, "sent", -9000, channel="sms"), event(1, "failed", -8999, channel="sms"),
        event(1, "sent", -8990), event(1, "delivered", -8980),
    )  # fmt: skip
    table = rates(count(summarise(events, now=NOON), ["channel", "provider"]), ["channel", "provider"])
    delivery = table[table["rate"] == "delivery"].set_index("provider")
    assert delivery["value"].to_dict() == {"resend": 1.0, "twilio": 0.0}
    assert not delivery["shown"].any()


def test_events_after_now_and_events_of_other_cohorts_are_left_out():
    events = events_of(event(1, "sent", -9000), event(1, "delivered", 30), event(9, "delivered", -10))
    counts = count(summarise(events, now=NOON))
    assert counts[["sent", "delivered"]].iloc[0].to_list() == [1, 0]


def test_no_events_give_an_empty_table_with_all_columns():
    tries = summarise(events_of(), now=NOON)
    table = rates(count(tries))
    assert len(tries) == len(table) == 0
    assert {"channel", "rate", "value", "low", "high", "shown"} <= set(table.columns)


def test_rates_come_from_rolled_up_counts_as_well():
    counts = pd.DataFrame([dict.fromkeys(COUNTED, 0) | {"settled": 1000, "delivered": 985}]).assign(
        channel="sms"
    )
    row = rates(counts).iloc[0]
    assert (row["rate"], bool(row["shown"])) == ("delivery", True)
    assert (row["low"], row["high"]) == (pytest.approx(0.9754, abs=5e-5), pytest.approx(0.9909, abs=5e-5))


def test_every_definition_says_what_it_means():
    assert all("/" in rate.meaning or "only" in rate.meaning for rate in RATES.values())


def test_arrow_types_from_the_database_pass():
    events = events_of(event(1, "sent", -9000), event(1, "delivered", -8990)).convert_dtypes(
        dtype_backend="pyarrow"
    )
    assert value(rates(count(summarise(events, now=NOON))), "delivery") == (1, 1)


def test_an_open_within_three_seconds_and_a_sweep_of_clicks_are_machines():
    events = events_of(
        event(1, "delivered", 0), event(1, "opened", 2), event(1, "opened", 60),
        *(event(2, "clicked", 100 + second) for second in (0, 1, 2, 50)), event(3, "clicked", 100),
    )  # fmt: skip
    assert mark_machines(events)["is_machine"].to_list() == [
        False,
        True,
        False,
        True,
        True,
        True,
        False,
        False,
    ]
    assert len(mark_machines(events_of())) == 0


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda frame: frame.drop(columns="provider"), "provider: the frame has no such column"),
        (
            lambda frame: frame.assign(at=frame["at"].dt.tz_localize(None)),
            r"at: holds datetime64.* give datetimes with zone UTC",
        ),
        (lambda frame: frame.assign(event="vanished"), r"event: unknown .'vanished'."),
        (lambda frame: frame.assign(channel=None), "channel: "),
        (lambda frame: frame.assign(is_machine="no"), "is_machine: holds str: give booleans"),
    ],
)
def test_a_wrong_frame_is_refused_with_the_name_of_the_column(broken, message):
    with pytest.raises(InvalidFrame, match=message):
        require_columns(broken(events_of(event(1, "sent"))), EVENTS)


def test_grouping_by_an_unknown_column_names_it():
    with pytest.raises(InvalidFrame, match="colour: can't group by it"):
        count(summarise(events_of(event(1, "sent")), now=NOON), ["colour"])


def test_a_window_in_the_future_is_refused():
    with pytest.raises(FutureWindow, match=r"end: .* is in the future"):
        require_past_window(NOON, NOON + timedelta(hours=1), NOON)
    with pytest.raises(InvalidRequest, match=r"end: .* is not after start"):
        require_past_window(NOON, NOON, NOON)
    with pytest.raises(InvalidRequest, match="start: a time without a zone"):
        require_past_window(datetime(2026, 1, 1), NOON, NOON)
    require_past_window(NOON - timedelta(hours=1), NOON, NOON)
