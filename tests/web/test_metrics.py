"""What Prometheus is told."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError

from delivery import Request, accept
from delivery.catalog import catalog
from delivery.throttle import AWAY_KEY
from tests.delivery.stage import person
from tests.web.conftest import Web
from tests.web.test_webhooks import STATUS, counted, delivered
from web import metrics


def told(web: Web) -> dict[tuple[str, ...], float]:
    answer = web.get("/metrics")
    assert answer.status == 200
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(answer.data.decode())
        for sample in family.samples
    }


def test_what_waits_and_what_came_in_is_counted(web: Web, people, redis) -> None:
    people(person("Maya", 101))
    for name in ("critical_financial", "payment_reminder", "payment_reminder"):
        accept(Request(user_id="user_maya", message_type=name, payload=dict(catalog()[name].example)))
    web.twilio(STATUS, delivered())
    web.post(STATUS, delivered())
    counted(redis, "twilio:forged")
    redis.hset(AWAY_KEY, mapping={"passed": 3, "held": 40})

    numbers = told(web)

    assert numbers["mingus_up",] == 1
    assert numbers["mingus_notifications", "sms_critical", "accepted"] == 1
    assert numbers["mingus_notifications", "sms_daily", "accepted"] == 2
    assert numbers["mingus_due", "sms_daily"] == 2
    assert 0 <= numbers["mingus_oldest_due_seconds", "sms_daily"] < 60
    assert numbers["mingus_callbacks_waiting",] == 1
    assert numbers["mingus_callbacks_unmatched",] == 0
    assert numbers["mingus_webhooks_total", "twilio", "forged"] == 1
    assert numbers["mingus_webhooks_total", "twilio", "delivered"] == 1
    assert numbers["mingus_limiter_away_total", "passed"] == 3
    assert numbers["mingus_limiter_away_total", "held"] == 40


def test_it_says_when_the_database_is_away(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("SELECT", None, Exception("gone"))

    monkeypatch.setattr(metrics, "transaction", away)

    assert told(web) == {("mingus_up",): 0}
