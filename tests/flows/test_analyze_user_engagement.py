"""analyze-user-engagement: scores that rank, tiers, fatigue, caps once a week, and advice with its rule."""

from datetime import timedelta

import pandas as pd
import pytest

from analytics.caps import FIRST_CAP, learn_caps
from analytics.engagement_run import keep_scores, score_everybody
from analytics.load import reader
from analytics.recommendations import recommend
from core.clock import utc_now
from core.database import transaction
from core.errors import InvalidRequest
from core.statements import rows
from flows import analyze_user_engagement as flow
from flows.window import window_before


def test_everybody_gets_a_score_a_tier_and_their_run_of_ignored_messages(past):
    now = past(1600, days=30)  # an eighth of them measures the model
    flow.refresh.fn()
    with reader() as connection:
        scored = score_everybody(connection, now=now)
    assert len(scored.rows) == 1600
    assert scored.rows["score"].between(0, 100).all()
    assert set(scored.rows["tier"]) == {"active", "casual", "dormant"}
    assert scored.model.held_out.auc > 0.55
    for _ in range(2):
        with transaction() as connection:
            keep_scores(connection, scored.rows)
    with transaction() as connection:
        assert rows(connection, "SELECT count(*), count(DISTINCT user_id) FROM engagement_scores") == [
            (1600, 1600)
        ]


def test_scores_that_did_not_change_are_not_written_again(past):
    now = past(300, days=20)
    flow.refresh.fn()
    with reader() as connection:
        scored = score_everybody(connection, now=now)
    with transaction() as connection:
        keep_scores(connection, scored.rows)
        before = rows(connection, "SELECT user_id, xmin::text FROM engagement_scores ORDER BY 1")
    with transaction() as connection:
        keep_scores(connection, scored.rows)
        assert rows(connection, "SELECT user_id, xmin::text FROM engagement_scores ORDER BY 1") == before


def test_without_a_past_there_are_no_scores_but_a_reason(database, people):
    people(50)
    with reader() as connection, pytest.raises(InvalidRequest, match="nothing was sent yet"):
        score_everybody(connection, now=utc_now())


def test_patterns_hold_the_hours_of_sends_the_funnel_and_the_cohorts(past):
    now = past(300, days=20)
    flow.refresh.fn()
    window = window_before(None, 168, now)
    found = flow.look.fn(window, {"tiers": {"active": 300}, "tired": 0})
    sent = {row["channel"]: row["count"] for row in found["funnel"] if row["step"] == "sent"}
    hours = pd.DataFrame(found["hours"])
    assert hours["hour"].between(0, 23).all()
    assert hours["weekday"].between(0, 6).all()
    for channel, rows_ in hours.groupby("channel"):
        assert (
            abs(rows_["sent"].sum() - sent[channel]) < 20
        )  # a try that fell back counts for its notification
    assert all(row["engaged"] <= row["people"] for row in found["cohorts"])
    assert set(flow._heat_maps(found["hours"])) == {"email", "sms"}


def test_caps_are_learnt_once_a_week_and_never_exceed_what_a_person_wants(past, store):
    now = past(120, days=20)
    store.execute(
        "INSERT INTO preferences (user_id, category, channel, weekly_cap) SELECT id, 'education', 'email', 2 FROM users LIMIT 10"
    )
    flow.refresh.fn()
    with transaction() as connection:
        assert learn_caps(connection, now=now) > 0
    with transaction() as connection:
        assert learn_caps(connection, now=now) == 0
        found = rows(
            connection,
            "SELECT c.weekly_cap, p.weekly_cap FROM frequency_caps c LEFT JOIN preferences p USING (user_id, channel)",
        )
    assert all(cap <= wanted for cap, wanted in found if wanted is not None)
    assert {cap for cap, wanted in found if wanted is None} <= {FIRST_CAP, FIRST_CAP + 0.25, FIRST_CAP / 2}


HOURS = pd.DataFrame({"channel": "email", "weekday": [0, 1, 2], "hour": [9, 9, 20], "sent": [500, 500, 500], "engaged": [60, 50, 140]})  # fmt: skip
FUNNEL = pd.DataFrame(
    {"channel": ["email"], "sent": [1500], "delivered": [1480], "opened": [300], "clicked": [80], "opened_by_machine": [200],
     "opened_at_all": [500], "unsubscribed": [12]}
)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "Send more email on Wednesday at 20:00"),
        ({}, "Judge email by clicks: 40% of its opens"),
        ({}, "Send less email: 0.8% of deliveries"),
        ({"tired": 300}, "for 300 people (30%)"),
    ],
)
def test_advice_is_a_sentence_with_its_numbers(given, sentence):
    found = recommend(**{"hours": HOURS, "funnel": FUNNEL, "tiers": {"active": 1000}, "tired": 0} | given)
    assert any(sentence in each.sentence for each in found)
    assert all(each.rule for each in found)


def test_without_numbers_there_is_no_advice():
    assert recommend(hours=HOURS[:0], funnel=FUNNEL[:0], tiers={}, tired=0) == []


def test_the_verdict_says_why_there_are_no_scores():
    window = window_before(utc_now() - timedelta(days=1), 168, utc_now())
    scored = {"people": 0, "tiers": {}, "tired": 0, "why": "too few"}
    assert "No scores: too few" in flow.verdict(window, scored, {"advice": []})
