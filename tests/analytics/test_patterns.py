"""Patterns and recommendations: tables by hand, and sentences that carry their numbers and their rule."""

import numpy as np
import pandas as pd
import pytest

from analytics.frames import USER_DAYS
from analytics.patterns import funnel, heat_map, lift, retention
from analytics.rates import COUNTED
from analytics.recommendations import recommend


def counts(message_type="tips", **numbers):
    return dict.fromkeys(COUNTED, 0) | {"channel": "email", "message_type": message_type} | numbers


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


NO_HOURS = pd.DataFrame({"channel": [], "weekday": [], "hour": [], "sent": [], "engaged": []})
NO_FUNNEL = pd.DataFrame(
    columns=["channel", "delivered", "opened_at_all", "opened_by_machine", "unsubscribed"]
)


def told(**given):
    everything = {"hours": NO_HOURS, "funnel": NO_FUNNEL, "tiers": {}, "tired": 0} | given
    return [each.sentence for each in recommend(**everything)]


def test_without_evidence_every_rule_is_silent():
    assert told() == []
    assert told(tiers={"active": 100}, tired=5) == []


def test_a_good_hour_is_told_with_its_counts_and_a_lucky_small_one_is_not():
    hours = pd.DataFrame(
        {
            "channel": "email",
            "weekday": [1, 2, 3],
            "hour": [18, 9, 9],
            "sent": [2000, 2000, 50],
            "engaged": [600, 200, 40],
        }
    )
    (sentence,) = told(hours=hours)
    assert "Send more email on Tuesday at 18:00 local time" in sentence
    assert "(600 of 2000)" in sentence


def test_machine_opens_and_many_goodbyes_are_told_with_their_shares():
    funnel_rows = pd.DataFrame(
        [
            {
                "channel": "email",
                "delivered": 1000,
                "opened_at_all": 400,
                "opened_by_machine": 200,
                "unsubscribed": 10,
            }
        ]
    )
    machines, goodbyes = told(funnel=funnel_rows)
    assert "50% of its opens were made by machines only (200 of 400)" in machines
    assert "1.0% of deliveries ended a subscription (10 of 1,000)" in goodbyes


def test_fatigue_is_told_when_it_concerns_many():
    (sentence,) = told(tiers={"active": 850, "dormant": 150}, tired=150)
    assert "150 people (15%)" in sentence
