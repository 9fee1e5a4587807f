"""The eight tasks through a real worker process: `.delay()`, the broker, the lanes, the results."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from core.database import transaction
from core.statements import rows
from core.vocabulary import Lane
from delivery import Request, accept
from delivery.catalog import catalog
from tests.delivery.stage import Provider, person

pytest_plugins: list[str] = []
LANES = ",".join(Lane)
LIMITS = {
    f"MINGUS_LIMIT_{row.name}_{channel}".upper(): "60000"
    for row in catalog().values()
    for channel, limit in row.limits.items()
    if limit
}
pytestmark = pytest.mark.slow


def worker(*options: str, **extra: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "tasks",
        "worker",
        "--pool",
        "threads",
        "-l",
        "WARNING",
        *options,
    ]
    return subprocess.Popen(command, env=os.environ | LIMITS | extra)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(30)


@pytest.fixture
def lanes(database: str, redis: object, provider: Provider) -> Iterator[None]:
    """One worker that was given all four lanes, as the specification starts it."""
    process = worker("-Q", LANES, "-c", "2")
    yield
    stop(process)


def until(what: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_the_specifications_example_answers_true(lanes, people, provider):
    from tasks import send_critical_financial_alert

    people(person("Ana", 123, id="user_123"))
    alert = {
        "template": "Critical: {message}",
        "message": "Overdraft detected on account ending in 1234",
        "urgency": "high",
    }
    assert send_critical_financial_alert.delay(user_id="user_123", alert_data=alert).get(timeout=20) is True
    (message,) = provider.messages()
    assert message["body"].splitlines() == [
        "Critical: Overdraft detected on account ending in 1234",
        "Reply STOP to opt out",  # the first text of a programme says so
    ]


def test_a_message_that_will_not_be_sent_answers_false(lanes, people):
    from tasks import send_critical_financial_alert

    people(person("Noor", 1, phone="", email=""))
    example = dict(catalog()["critical_financial"].example)
    assert send_critical_financial_alert.delay("user_noor", example).get(timeout=20) is False


def test_a_message_of_the_future_is_safely_waiting_and_not_in_the_queue(people, redis):
    from tasks import send_weekly_checkin

    people(person("Maya", 101))
    example = dict(catalog()["weekly_checkin"].example)
    result = send_weekly_checkin.apply_async(("user_maya", example), countdown=7200)
    assert result.get(timeout=5) is True
    assert [redis.llen(lane) for lane in Lane] == [0, 0, 0, 0]
    with transaction() as connection:
        assert rows(
            connection, "SELECT state, deliver_after > now() + interval '1 hour' FROM notifications"
        ) == [("accepted", True)]


def test_the_queue_holds_an_id_and_nothing_that_names_a_person(people, redis):
    from tasks import send_critical_financial_alert

    people(person("Maya", 101))
    send_critical_financial_alert.delay(
        "user_maya", {"template": "{message}", "message": "canary-5512", "urgency": "high"}
    )
    (carried,) = redis.lrange(Lane.SMS_CRITICAL, 0, -1)
    for secret in (b"canary-5512", b"user_maya", b"5125550101"):
        assert secret not in carried
    assert b"notification_id" in carried


def test_one_worker_of_all_lanes_serves_the_critical_lane_first(people, redis, provider):
    from tasks import send_critical_financial_alert, send_educational_content

    everybody = [person(f"Person{n}", n) for n in range(2000, 2030)]
    people(*everybody)
    lesson, alert = (dict(catalog()[name].example) for name in ("educational_content", "critical_financial"))
    for each in everybody:
        send_educational_content.delay(each.id, lesson)
    for each in everybody[:5]:
        send_critical_financial_alert.delay(each.id, alert)
    process = worker("-Q", LANES, "-c", "1")
    try:
        until(lambda: len(provider.messages()) == 35)
    finally:
        stop(process)
    with transaction() as connection:
        order = [
            row[0]
            for row in rows(
                connection,
                "SELECT n.message_type FROM attempts a JOIN notifications n ON n.id = a.notification_id ORDER BY a.opened_at",
            )
        ]
    # one message may be in hand when the worker looks for the first time
    assert max(place for place, name in enumerate(order) if name == "critical_financial") <= 6, order


@pytest.mark.parametrize("named", [True, False])
def test_a_caller_subscribes_to_no_result_that_it_does_not_ask_for(people, redis, named):
    """Whether the results' place is named by Celery's own variable or is Redis by default."""
    people(person("Maya", 101))
    code = (
        "from tasks import send_critical_financial_alert as t;"
        "t.delay('user_maya', {'template': '{message}', 'message': 'Low balance', 'urgency': 'high'});"
        "print(t.backend.result_consumer._pubsub)"  # the connection that subscribes, once there is one
    )
    env = {name: value for name, value in os.environ.items() if name != "CELERY_RESULT_BACKEND"}
    env |= {"CELERY_RESULT_BACKEND": env["REDIS_URL"]} if named else {}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, check=True, timeout=60, capture_output=True, text=True
    )
    assert redis.llen(Lane.SMS_CRITICAL) == 1
    assert done.stdout.strip() == "None"


def test_without_redis_delay_still_accepts_and_the_relay_delivers_later(people, redis, provider):
    people(person("Maya", 101))
    code = (
        "from tasks import send_critical_financial_alert as t;"
        "print(t.delay('user_maya', {'template': '{message}', 'message': 'Low balance', 'urgency': 'high'}).id)"
    )
    nowhere = {
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "CELERY_BROKER_URL": "redis://127.0.0.1:9/0",
        "CELERY_RESULT_BACKEND": "redis://127.0.0.1:9/0",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    with transaction() as connection:
        assert rows(connection, "SELECT id::text, state FROM notifications") == [
            (done.stdout.strip(), "accepted")
        ]
        connection.exec_driver_sql("UPDATE notifications SET publish_after = now()")
    process = worker("-Q", LANES, "-c", "2")
    try:
        from tasks.relay import publish_due

        publish_due()
        until(lambda: len(provider.messages()) == 1)
    finally:
        stop(process)


def test_a_plain_call_delivers_in_this_process(people, redis, provider):
    from tasks import send_critical_financial_alert

    people(person("Maya", 101))
    assert send_critical_financial_alert("user_maya", dict(catalog()["critical_financial"].example)) is True
    assert len(provider.messages()) == 1


@pytest.mark.parametrize("name", list(catalog()))
def test_every_type_has_a_task_with_the_specifications_arguments(name):
    import inspect

    import tasks

    row = catalog()[name]
    assert list(inspect.signature(getattr(tasks, row.task).run).parameters) == ["user_id", row.payload]


def test_wrong_arguments_are_refused_at_delay_by_name(people):
    from core.errors import InvalidRequest
    from tasks import send_payment_reminder

    with pytest.raises(InvalidRequest, match="payment_data"):
        send_payment_reminder.delay(user_id="user_maya", alert_data={})


def test_accepting_is_durable_before_anything_is_published(people):
    people(person("Maya", 101))
    accepted = accept(
        Request(
            user_id="user_maya",
            message_type="critical_financial",
            payload=dict(catalog()["critical_financial"].example),
        )
    )
    with transaction() as connection:
        assert rows(
            connection, "SELECT state FROM notifications WHERE id = %s", (accepted.notification_id,)
        ) == [("accepted",)]
