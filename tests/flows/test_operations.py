"""Alarms reach the people who run this: by a message of our own and by a webhook, each once."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import orjson
import pytest

from analytics.alarm_store import Raised, settle_alarms
from core.clock import utc_now
from core.database import transaction
from core.sealing import unseal
from core.settings import settings
from core.statements import rows
from delivery.intake import PAYLOAD_PLACE
from flows import broker, operations
from flows import monitor_queue_depth as flow

LATE = Raised("sms_daily", "sms_daily: the oldest has waited 901 s (limit 900).")


@pytest.fixture
def set_up(monkeypatch, redis, store):
    """set_up(MINGUS_OPERATORS="user_ops"): settings for this test."""
    store.execute("INSERT INTO users (id) VALUES ('user_ops'), ('user_night')")

    def change(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()

    yield change
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def pager():
    """A webhook's receiver: `posts` it got, and the `status` it answers with."""

    class Pager(BaseHTTPRequestHandler):
        posts: list = []  # noqa: RUF012
        status = 200

        def do_POST(self):
            self.posts.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(Pager.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Pager)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Pager.url = f"http://127.0.0.1:{server.server_port}/alarms"
    yield Pager
    server.shutdown()
    server.server_close()


def raise_alarm(*raised):
    with transaction() as connection:
        settle_alarms(connection, "queue_depth", raised, now=utc_now())


def tell():
    now = utc_now()
    return operations.tell(operations.fresh_alarms(now), now=now)


def messages():
    with transaction() as connection:
        found = rows(
            connection, "SELECT id, user_id, lane, payload_sealed FROM notifications ORDER BY user_id"
        )
    return [
        (user, lane, orjson.loads(unseal(sealed, place=PAYLOAD_PLACE, row=row)))
        for row, user, lane, sealed in found
    ]


def test_an_alarm_is_told_to_every_operator_once_as_a_critical_message(set_up):
    set_up(MINGUS_OPERATORS="user_ops, user_night")
    raise_alarm(LATE)
    assert [tell().messages for _ in range(3)] == [2, 0, 0]
    assert [(user, lane) for user, lane, _ in messages()] == [
        ("user_night", "sms_critical"),
        ("user_ops", "sms_critical"),
    ]
    assert messages()[0][2]["message"] == LATE.sentence


def test_an_alarm_that_ends_and_comes_back_is_told_again(set_up):
    set_up(MINGUS_OPERATORS="user_ops")
    raise_alarm(LATE)
    tell()
    raise_alarm()
    assert tell() == operations.Told()
    raise_alarm(LATE)
    assert tell().messages == 1


def test_a_webhook_gets_each_alarm_once_and_again_after_it_failed(set_up, pager):
    set_up(MINGUS_ALARM_WEBHOOK=pager.url)
    pager.status = 503
    raise_alarm(LATE)
    assert tell().failed == ("webhook: HTTPStatusError",)
    pager.status = 200
    assert [tell().posted for _ in range(3)] == [1, 0, 0]
    assert [post["text"] for post in pager.posts] == [LATE.sentence] * 2


def test_an_operator_who_is_nobody_is_named_and_does_not_hinder_the_others(set_up):
    set_up(MINGUS_OPERATORS="user_ops,user_gone")
    raise_alarm(LATE)
    told = tell()
    assert told.messages == 1
    assert told.failed == ("operator user_gone: UnknownUser",)


def test_without_operators_and_webhook_alarms_stay_in_their_table(set_up):
    raise_alarm(LATE)
    assert tell() == operations.Told()
    assert messages() == []


def test_a_lane_that_breaks_its_limit_is_told_by_the_monitor(set_up, store, pager, monkeypatch):
    monkeypatch.setattr(broker, "ANSWER_SECONDS", 0.05)
    set_up(MINGUS_OPERATORS="user_ops", MINGUS_ALARM_WEBHOOK=pager.url)
    store.execute(
        "INSERT INTO notifications (id, user_id, message_type, lane, state, payload_sealed, content_hash, deliver_after,"
        " publish_after, expires_at) VALUES (gen_random_uuid(), 'user_night', 'x', 'sms_critical', 'accepted', '', '',"
        " now() - interval '10 min', now(), now() + interval '1 day')"
    )
    now = utc_now()
    flow.keep.fn(flow.look.fn(now), now)
    assert flow.tell.fn(now) == {"messages": 1, "posted": 1}
    assert "the oldest has waited 60" in pager.posts[0]["text"]
