"""Prometheus metrics of the whole system, read from Postgres when they are asked for: one process's answer is enough."""

import time
from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection

from core.database import DATABASE_AWAY, transaction
from core.statements import rows
from delivery import throttle
from web.tallies import totals

router = APIRouter()

# Each of these states has a partial index: counting costs what is under way, not all that ever was.
STATES = (
    "SELECT lane, state, count(*) FROM notifications WHERE state = 'accepted' GROUP BY 1, 2 UNION ALL"
    " SELECT lane, state, count(*) FROM notifications WHERE state = 'claimed' GROUP BY 1, 2 UNION ALL"
    " SELECT lane, state, count(*) FROM notifications WHERE state = 'unknown' GROUP BY 1, 2 UNION ALL"
    " SELECT lane, state, count(*) FROM notifications WHERE state = 'sent'"
    "  AND updated_at > now() - interval '24 hours' GROUP BY 1, 2"
)
OVERDUE = (
    "SELECT lane, count(*), COALESCE(extract(epoch FROM now() - min(deliver_after)), 0) FROM notifications"
    " WHERE state = 'accepted' AND publish_after <= now() + interval '60 seconds' AND deliver_after <= now() GROUP BY lane"
)
CALLBACKS = (
    "SELECT count(*), COALESCE(extract(epoch FROM now() - min(received_at)), 0) FROM callbacks"
    " WHERE processed_at IS NULL AND result = ''"
)
SINGLE_NUMBERS = {
    "mingus_callbacks_unmatched": (
        "callbacks of messages that we don't know (yet)",
        "SELECT count(*) FROM callbacks WHERE processed_at IS NULL AND result <> ''",
    ),
    "mingus_dead_letters_open": (
        "dead letters that nobody has settled",
        (
            "SELECT count(*) FROM dead_letters d JOIN notifications n ON n.id = d.notification_id"
            " WHERE d.settled_at IS NULL AND n.state = 'dead'"
        ),
    ),
    "mingus_withdrawals_pending": (
        "opt-outs that wait for a message under way",
        "SELECT count(*) FROM pending_withdrawals",
    ),
    "mingus_review_list": (
        "messages of people that wait for a person of ours",
        "SELECT count(*) FROM inbound_messages WHERE intent = 'review' AND reviewed_at IS NULL",
    ),
    "mingus_suppressed_addresses": ("addresses that are not written to", "SELECT count(*) FROM suppressions"),
}
EVENTS = (
    "SELECT channel, kind, count(*) FROM delivery_events WHERE at > now() - interval '24 hours' GROUP BY 1, 2"
)

# The newest sample of monitor-queue-depth; an old one says nothing, so that an autoscaler falls back and doesn't guess.
HANDS = (
    "SELECT DISTINCT ON (lane) lane, wanted, concurrency, drain_seconds FROM queue_samples"
    " WHERE at > now() - interval '15 minutes' ORDER BY lane, at DESC"
)
ALARMS = "SELECT name, count(*) FROM alarms WHERE ended_at IS NULL GROUP BY name"


class SystemCollector(Collector):
    """What is so at this moment, from cheap statements; `mingus_up` is 0 when Postgres is away."""

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        began = time.perf_counter()
        try:
            with transaction() as connection:
                found = list(_metrics(connection))
        except DATABASE_AWAY:
            yield GaugeMetricFamily("mingus_up", "1 when the database answers", 0)
            return
        yield GaugeMetricFamily("mingus_up", "1 when the database answers", 1)
        yield from found
        webhooks = CounterMetricFamily(
            "mingus_webhooks", "webhooks by what they brought", labels=["provider", "what"]
        )
        for (provider, what), number in totals().items():
            webhooks.add_metric([provider, what], number)
        yield webhooks
        away = CounterMetricFamily(
            "mingus_limiter_away",
            "sends judged while Redis was away: critical passed, others held",
            labels=["answer"],
        )
        for answer, number in throttle.answered_without().items():
            away.add_metric([answer], number)
        yield away
        yield GaugeMetricFamily(
            "mingus_scrape_seconds", "what these metrics cost", time.perf_counter() - began
        )


def _metrics(connection: Connection) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "mingus_notifications", "notifications that are not final", labels=["lane", "state"]
    )
    for lane, state, number in rows(connection, STATES):
        states.add_metric([lane, state], number)
    yield states
    overdue = GaugeMetricFamily("mingus_due", "notifications that are due and not claimed", labels=["lane"])
    age = GaugeMetricFamily(
        "mingus_oldest_due_seconds", "how long the oldest of them is due", labels=["lane"]
    )
    for lane, number, seconds in rows(connection, OVERDUE):
        overdue.add_metric([lane], number)
        age.add_metric([lane], float(seconds))
    yield from (overdue, age)
    ((waiting, oldest),) = rows(connection, CALLBACKS)
    yield GaugeMetricFamily("mingus_callbacks_waiting", "callbacks stored and not processed", waiting)
    yield GaugeMetricFamily(
        "mingus_callbacks_oldest_seconds", "how long the oldest of them waits", float(oldest)
    )
    for name, (text, statement) in SINGLE_NUMBERS.items():
        yield GaugeMetricFamily(name, text, rows(connection, statement)[0][0])
    events = GaugeMetricFamily(
        "mingus_events_24h", "delivery events of the last 24 hours", labels=["channel", "kind"]
    )
    for channel, kind, number in rows(connection, EVENTS):
        events.add_metric([channel, kind], number)
    yield events
    wanted = GaugeMetricFamily(
        "mingus_wanted_hands", "concurrency that Little's law wants, for autoscalers", labels=["lane"]
    )
    hands = GaugeMetricFamily("mingus_hands", "concurrency that the lane's workers have", labels=["lane"])
    drain = GaugeMetricFamily(
        "mingus_drain_seconds", "forecast until the lane's backlog is gone", labels=["lane"]
    )
    for lane, number, there, seconds in rows(connection, HANDS):
        wanted.add_metric([lane], number)
        hands.add_metric([lane], there)
        if seconds is not None:
            drain.add_metric([lane], seconds)
    yield from (wanted, hands, drain)
    alarms = GaugeMetricFamily("mingus_alarms_open", "alarms that have not ended", labels=["alarm"])
    for name, number in rows(connection, ALARMS):
        alarms.add_metric([name], number)
    yield alarms


@router.get("/metrics")
def metrics() -> Response:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SystemCollector())
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
