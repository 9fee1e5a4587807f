"""Patterns and recommendations: tables by hand, and sentences that carry their numbers and their rule."""

import numpy as np
import pandas as pd
import pytest

from analytics.frames import USER_DAYS
from analytics.off_policy import Interval, Uplift
from analytics.patterns import funnel, heat_map, lift, retention
from analytics.rates import COUNTED, rates
from analytics.recommendations import RULES, Evidence, recommend


def counts(message_type="tips", **numbers):
    return dict.fromkeys(COUNTED, 0) | {"channel": "email", "message_type": message_type} | numbers


def evidence(*rows, **more):
    by = ("channel", "message_type")
    return Evidence(rates=rates(pd.DataFrame(rows), by), by=by, **more)


def at(*texts):
    return pd.to_datetime(list(texts), utc=True).as_unit("us")


def test_the_heat_map_counts_by_weekday_and_hour():
    found = heat_map(pd.DataFrame({"local_weekday": [0, 0, 6], "local_hour": [9, 9, 23]}))
    assert (found[0, 9], found[6, 23], found.sum()) == (2, 1, 3)
    assert heat_map(pd.DataFrame({"local_weekday": [], "local_hour": []}).astype(int)).sum() == 0


def test_the_lift_of_a_cell_with_too_few_is_unknown():
    engaged, sent = np.zeros((7, 24), dtype=int), np.zeros((7, 24), dtype=int)
    engaged[0, 9], sent[0, 9], engaged[1, 9], sent[1, 9], sent[2, 9] = 30, 100, 10, 100, 29
    found = lift(engaged, sent)
    assert found[0, 9] == pytest.approx(0.3 / (40 / 229))
    assert np.isnan(found[2, 9])
    assert np.isnan(lift(engaged * 0, sent * 0)).all()


def test_retention_follows_each_cohort_month_by_month():
    users = pd.DataFrame(
        {"user_id": ["maya", "jamal", "priya"], "joined_at": at("2026-01-10", "2026-01-20", "2026-03-01")}
    )
    days = pd.DataFrame(
        [
            ("maya", "email", 1, 1, 0), ("maya", "email", 1, 1, 0), ("jamal", "email", 1, 0, 0),
            ("priya", "email", 1, 1, 0), ("stranger", "sms", 1, 1, 0),
        ],
        columns=["user_id", "channel", "sent", "engaged", "negative"],
    ).assign(day=at("2026-01-15", "2026-03-02", "2026-02-01", "2026-03-05", "2026-03-05"))[list(USER_DAYS)]  # fmt: skip
    found = retention(days, users).set_index(["cohort", "month"])
    assert found["engaged"].to_dict() == {
        ("2026-01", 0): 1,
        ("2026-01", 1): 0,
        ("2026-01", 2): 1,
        ("2026-03", 0): 1,
    }
    assert found.loc[("2026-01", 0), "share"] == 0.5
    assert not found["shown"].any()
    assert len(retention(days.iloc[:0], users)) == 0


def test_the_funnel_names_each_step_and_what_it_is_a_share_of():
    table = pd.DataFrame([counts(sent=200, delivered=190, opened=95, clicked=19)])
    found = funnel(table).set_index("step")
    assert found["of"].to_dict() == {"sent": 200, "delivered": 200, "opened": 190, "clicked": 190}
    assert found["share"].to_dict() == {"sent": 1.0, "delivered": 0.95, "opened": 0.5, "clicked": 0.1}
    by_channel = funnel(pd.DataFrame([counts(), counts(channel="sms", sent=10)]), ["channel"])
    assert np.isnan(by_channel[by_channel["channel"] == "email"]["share"]).all()


def test_complaints_above_the_limit_come_first_with_their_interval():
    found = recommend(
        evidence(counts(delivered=10_000, complained=60), counts("fine", delivered=10_000, complained=2))
    )
    assert len(found) == 1
    assert found[0].urgency == 1
    assert "email · tips draws complaints from 0.6 % [0.5–0.8]" in found[0].sentence
    assert "0.1 %" in found[0].rule


def test_bounces_and_machine_opens_speak_up():
    found = recommend(evidence(counts(sent=1000, bounced_hard=80, opened_at_all=500, opened_by_machine=400)))
    assert [each.urgency for each in found] == [2, 5]
    assert "confirm addresses" in found[0].sentence
    assert "judge it by clicks" in found[1].sentence


def test_a_type_that_is_clicked_half_as_often_as_others_is_named():
    rows = [counts(f"type-{n}", delivered=5000, clicked=500) for n in range(6)] + [
        counts("dull", delivered=5000, clicked=60)
    ]
    found = recommend(evidence(*rows))
    assert len(found) == 1
    assert "email · dull is clicked in 1.2 % [0.9–1.5]" in found[0].sentence


def test_the_best_slot_needs_proof():
    sent = np.full((7, 24), 200)
    engaged = np.full((7, 24), 20)
    assert recommend(Evidence(engaged=engaged, sent=sent)) == []
    engaged[1, 18:21] = 80
    found = recommend(Evidence(engaged=engaged, sent=sent))
    assert "Tuesdays from 18:00 to 21:00" in found[0].sentence
    assert found[0].numbers["share"] == pytest.approx(0.4)


def test_fatigue_and_the_measured_uplift_are_told():
    uplift = Uplift(*[Interval(0.012, 0.004, 0.02)] * 3, ess=900, sends=5000, persons=2000)
    found = recommend(Evidence(tired=150, people=1000, uplifts={"email": uplift}))
    assert "150 of 1,000 people (15%)" in found[0].sentence
    assert "email: Personal send times earn +1.20 points [+0.40, +2.00]" in found[1].sentence


def test_without_evidence_every_rule_is_silent():
    assert recommend(Evidence()) == []
    assert recommend(Evidence(tired=5, people=10)) == []
    assert all(rule.__doc__ for rule in RULES)
