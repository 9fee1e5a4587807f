"""Frames as the database driver gives them (Arrow types) lead to the same results as pandas' own."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from analytics.alarms import fit_baseline, scan
from analytics.engagement_features import channel_priors, engaged_within, features
from analytics.failures import clusters, triage
from analytics.fatigue import ignored_runs
from analytics.latency import histogram, percentiles
from analytics.machines import mark_machines
from analytics.off_policy import measured_uplift
from analytics.patterns import funnel, heat_map, retention
from analytics.person_hours import hour_counts, local_hours
from analytics.rates import COUNTED, count, rates, summarise

NOW = datetime(2026, 11, 2, tzinfo=UTC)
SIZE = 400
RNG = np.random.default_rng(8)


def before(days):
    return pd.to_datetime([NOW - timedelta(minutes=float(day) * 1440) for day in days], utc=True).as_unit(
        "us"
    )


USER = pd.Series([f"u{n}" for n in RNG.integers(0, 50, SIZE)], dtype="str")
AGE = RNG.uniform(0.1, 80, SIZE)
PEOPLE = pd.DataFrame(
    {
        "user_id": [f"u{n}" for n in range(50)],
        "joined_at": before(RNG.uniform(1, 300, 50)),
        "time_zone": "America/Denver",
    }
)
EVENTS = pd.DataFrame(
    {
        "notification_id": RNG.integers(0, 100, SIZE), "user_id": USER, "channel": "email", "provider": "resend",
        "message_type": "tips", "event": RNG.choice(["sent", "delivered", "opened", "clicked"], SIZE), "at": before(AGE),
        "is_machine": False, "domain_or_carrier": RNG.choice(["a.com", "b.com"], SIZE),
        "error_code": pd.Series([None] * SIZE, dtype="str"),
    }
)  # fmt: skip
DAYS = pd.DataFrame(
    {
        "user_id": USER, "channel": RNG.choice(["email", "sms"], SIZE), "day": before(np.ceil(AGE)),
        "sent": RNG.integers(1, 4, SIZE), "engaged": RNG.integers(0, 2, SIZE), "negative": 0,
    }
)  # fmt: skip
HOURS = pd.DataFrame({"user_id": USER, "at": before(AGE), "weight": 1.0})
WINDOWS = pd.DataFrame({"at": before(AGE), "hits": RNG.integers(190, 200, SIZE), "total": 200})
LETTERS = pd.DataFrame(
    {
        "provider": "twilio", "error_class": "capacity", "error_code": RNG.choice(["30022", "30001"], SIZE),
        "domain_or_carrier": RNG.choice(["T-Mobile", "Verizon"], SIZE), "template": pd.Series([None] * SIZE, dtype="str"),
    }
)  # fmt: skip
LOG = pd.DataFrame({"user_id": USER, "reward": RNG.integers(0, 2, SIZE)}).assign(
    propensity=0.5,
    target=RNG.integers(0, 2, SIZE),
    baseline=1.0,
    predicted=0.0,
    predicted_target=0.0,
    predicted_baseline=0.0,
)
COUNTS = pd.DataFrame([dict.fromkeys(COUNTED, 50) | {"channel": "email"}])

CASES = {
    "rates": (lambda frame: rates(count(summarise(mark_machines(frame), now=NOW), ["domain_or_carrier"]), ["domain_or_carrier"]), EVENTS),
    "rates of counts": (rates, COUNTS),
    "funnel": (lambda frame: funnel(frame, ["channel"]), COUNTS),
    "latency": (lambda frame: percentiles(histogram(frame, ["channel"], value="sent"), ["channel"]), DAYS),
    "alarm": (lambda frame: scan(frame, fit_baseline(frame))["p_value"], WINDOWS),
    "person-hours": (lambda frame: hour_counts(local_hours(frame, PEOPLE), now=NOW).of(pd.Index(PEOPLE["user_id"])).counts, HOURS),
    "heat map": (lambda frame: heat_map(local_hours(frame, PEOPLE)), HOURS),
    "features": (lambda frame: features(frame, PEOPLE, channel_priors(frame, as_of=NOW), as_of=NOW).values, DAYS),
    "features of people": (lambda frame: features(DAYS, frame, {}, as_of=NOW).values, PEOPLE),
    "outcomes": (lambda frame: engaged_within(frame, pd.Index(PEOPLE["user_id"]), start=NOW - timedelta(days=7)), DAYS),
    "ignored runs": (ignored_runs, DAYS),
    "retention": (lambda frame: retention(frame, PEOPLE), DAYS),
    "clusters": (clusters, LETTERS),
    "triage": (lambda frame: triage(frame.assign(text="")[["provider", "error_code", "text"]])["error_class"], LETTERS),
    "uplift": (lambda frame: measured_uplift(frame, draws=20), LOG),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_arrow_frames_give_the_same_result(name):
    work, frame = CASES[name]
    plain, arrow = work(frame), work(frame.convert_dtypes(dtype_backend="pyarrow"))
    if isinstance(plain, pd.DataFrame):
        pd.testing.assert_frame_equal(plain, arrow, check_dtype=False)
        assert len(plain)
    elif isinstance(plain, (np.ndarray, pd.Series)):
        assert np.array_equal(np.asarray(plain), np.asarray(arrow))
    else:
        assert str(plain) == str(arrow)
