"""The Celery app: JSON with ids only, lanes as queues, early acknowledgement, time limits on every socket.

Messages are acknowledged early on purpose: the truth is in Postgres and the relay brings back what a worker lost,
while late acknowledgement on Redis repeats after an hour and has killed workers on a Redis restart
(docs/decisions/0003-early-acks.md).
"""

import gc
import logging
from typing import Any

from celery import Celery, signals

from core import database, logs
from core import redis as redis_clients
from core.settings import settings
from core.stopping import stop_soon
from core.vocabulary import Lane
from tasks.queues import HOUSEKEEPING, QUEUES, wants_housekeeping
from tasks.results import backend_at
from tasks.yielding import yield_processor

RELAY_SECONDS = 1.0
GC_THRESHOLDS = (10_000, 5, 5)
"""A chunk of 200 messages makes some 10,000 objects and leaves none behind."""


def make_app() -> Celery:
    """The app of this process, configured from settings."""
    config = settings()
    app = Celery("mingus", broker=config.broker_url, set_as_current=True)
    app.backend_cls = backend_at(config.result_backend)  # `backend=` yields to CELERY_RESULT_BACKEND
    transport = {
        "ack_emulation": False,  # what a dying worker holds is the relay's to bring back, not Redis': docs/decisions/0003
        "queue_order_strategy": "priority",
        "health_check_interval": 25,
        "socket_keepalive": True,
        "socket_timeout": 10,
        "socket_connect_timeout": 2,
        "max_connections": 50,
    }
    app.conf.update(
        include=["tasks.sms", "tasks.email", "tasks.chunk", "tasks.relay", "tasks.callbacks", "tasks.costs"],
        task_queues=QUEUES,
        task_default_queue=HOUSEKEEPING,
        task_default_exchange="mingus",
        task_default_routing_key=HOUSEKEEPING,
        task_create_missing_queues=False,
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        timezone="UTC",
        enable_utc=True,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        result_expires=600,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_soft_shutdown_timeout=10.0,
        worker_enable_soft_shutdown_on_idle=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2,
        broker_transport="tasks.transport:Transport" if config.broker_url.startswith("redis://") else None,
        broker_transport_options=transport,
        result_backend_transport_options={
            "socket_timeout": 5,
            "retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "timeout": 1.0},
        },
        redis_socket_timeout=5,
        redis_socket_connect_timeout=2,
        redis_socket_keepalive=True,
        redis_retry_on_timeout=False,
        task_publish_retry_policy={
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "interval_max": 0.1,
        },
        beat_schedule={
            name: {
                "task": f"tasks.{name}",
                "schedule": seconds,
                "options": {"queue": HOUSEKEEPING, "expires": max(3 * seconds, 5.0)},
            }
            for name, seconds in {
                "publish_due": RELAY_SECONDS,
                "apply_callbacks": RELAY_SECONDS,
                "recover_lapsed": 5.0,
                "resolve_unknown": 5.0,
                "poll_unconfirmed": 60.0,
                "watch_budgets": 60.0,
                "rebuild_counters": 300.0,
            }.items()
        },
    )
    return app


@signals.setup_logging.connect
def _logging(**_: Any) -> None:
    logs.configure(settings().log_level)
    for name in ("celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(name).setLevel(logging.WARNING)  # one line per heartbeat tells nobody anything


@signals.worker_ready.connect
def _warm(**_: Any) -> None:
    """Build providers and templates before the first message asks for them: the first alert is as fast as any."""
    from delivery.warm_up import warm_up

    warm_up()
    _keep_for_good()


def _keep_for_good() -> None:
    """What is there now stays: the collector need not look through it again and again (a fifth of a mail's CPU)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


@signals.worker_shutting_down.connect
def _stop_soon(**_: Any) -> None:
    """SIGTERM: calls in flight end and are settled, nothing new is begun, what was taken is due for other workers.

    Pool processes (prefork) hear nothing of it: they end the delivery that they are in.
    """
    stop_soon()


@signals.celeryd_after_setup.connect
def _housekeeping(instance: Any, **_: Any) -> None:
    """A worker started with the four lanes alone still does the housekeeping, last of all its queues."""
    queues = instance.app.amqp.queues
    if wants_housekeeping(set(queues.consume_from)):
        queues.select_add(next(queue for queue in QUEUES if queue.name == HOUSEKEEPING))


@signals.celeryd_after_setup.connect
def _look_up(**_: Any) -> None:
    database.never_scan()


@signals.celeryd_after_setup.connect
def _others_yield(instance: Any, **_: Any) -> None:
    """A worker that delivers no alerts lets those go first that do."""
    if str(Lane.SMS_CRITICAL) not in instance.app.amqp.queues.consume_from:
        yield_processor()


@signals.worker_process_init.connect
def _begin_pool_process(**_: Any) -> None:
    _fresh_clients()
    _keep_for_good()


@signals.worker_process_shutdown.connect
def _fresh_clients(**_: Any) -> None:
    """Connections don't survive a fork: a pool process makes its own and closes them."""
    database.dispose()
    redis_clients.disconnect()


app = make_app()
