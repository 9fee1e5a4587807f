"""What a user would write otherwise: the specification's design as plain Celery tasks, done decently.

Per message two SELECTs, one call of the vendor's SDK as installed, one INSERT with its commit, three Redis commands and
the result write. Connection pools are per process, SQL is plain, the HTTP session of Twilio's SDK is kept, as its
author would. It has no intent before the call, no recovery, no consent ledger and no limit across channels.
"""

import os
import uuid
from functools import cache
from typing import Any

import redis
import resend
from celery import Celery
from sqlalchemy import Engine, create_engine, text
from twilio.rest import Client

app = Celery("naive", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.update(
    task_default_queue="naive",
    task_serializer="json",
    accept_content=["json"],
    result_expires=600,
    worker_prefetch_multiplier=4,
    worker_send_task_events=False,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS naive_users (id text PRIMARY KEY, name text, phone text, email text);
CREATE TABLE IF NOT EXISTS naive_preferences (user_id text PRIMARY KEY, sms boolean, email boolean);
CREATE TABLE IF NOT EXISTS naive_log (id uuid PRIMARY KEY, user_id text, channel text, message_type text,
    message_id text, status text, cost numeric, created_at timestamptz DEFAULT now());
CREATE INDEX IF NOT EXISTS naive_log_user ON naive_log (user_id, created_at);
TRUNCATE naive_users, naive_preferences, naive_log;
INSERT INTO naive_users SELECT id, 'Maya', '+447400' || right(id, 6), id || '@mail.example' FROM users;
INSERT INTO naive_preferences SELECT id, true, true FROM users;
ANALYZE naive_users; ANALYZE naive_preferences;
"""
LIMIT = 1_000_000_000


@cache
def engine() -> Engine:
    return create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://"))


@cache
def store() -> redis.Redis:
    return redis.Redis.from_url(os.environ["REDIS_URL"])


@cache
def twilio() -> Client:
    client = Client(os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"])
    client.api.base_url = os.environ["MINGUS_TWILIO_BASE_URL"]
    return client


@app.task(bind=True, max_retries=3, name="naive.send_sms")  # type: ignore[untyped-decorator]  # celery has no types
def send_sms(self: Any, user_id: str, data: dict[str, Any]) -> bool:
    person = _person(user_id)
    if not _may_send(user_id, "sms"):
        return False
    if _over_limit("sms"):
        raise self.retry(countdown=60)
    body = data["template"].format(name=person.name, **data)
    message = twilio().messages.create(to=person.phone, from_=os.environ["TWILIO_PHONE_NUMBER"], body=body)
    _log(user_id, "sms", message.sid, 0.0075)
    return True


@app.task(bind=True, max_retries=3, name="naive.send_email")  # type: ignore[untyped-decorator]  # celery has no types
def send_email(self: Any, user_id: str, data: dict[str, Any]) -> bool:
    person = _person(user_id)
    if not _may_send(user_id, "email"):
        return False
    if _over_limit("email"):
        raise self.retry(countdown=60)
    resend.api_key = os.environ["RESEND_API_KEY"]
    resend.api_url = os.environ["MINGUS_RESEND_BASE_URL"]
    mail: resend.Emails.SendParams = {
        "from": "MINGUS <hello@mingus.example>",
        "to": [person.email],
        "subject": data["subject"],
        "html": data["html"].format(name=person.name, **data),
    }
    sent = resend.Emails.send(mail)
    _log(user_id, "email", sent["id"], 0.0001)
    return True


def _person(user_id: str) -> Any:
    with engine().connect() as connection:
        found = connection.execute(
            text("SELECT name, phone, email FROM naive_users WHERE id = :id"), {"id": user_id}
        )
        return found.one()


def _may_send(user_id: str, channel: str) -> bool:
    with engine().connect() as connection:
        found = connection.execute(
            text("SELECT sms, email FROM naive_preferences WHERE user_id = :id"), {"id": user_id}
        ).one()
        return bool(getattr(found, channel))


def _over_limit(channel: str) -> bool:
    key = f"naive:limit:{channel}"
    used = store().incr(key)
    store().expire(key, 60)
    return int(used) > LIMIT


def _log(user_id: str, channel: str, message_id: str, cost: float) -> None:
    with engine().begin() as connection:
        connection.execute(
            text(
                "INSERT INTO naive_log (id, user_id, channel, message_type, message_id, status, cost)"
                " VALUES (:id, :user_id, :channel, 'bench', :message_id, 'sent', :cost)"
            ),
            {
                "id": uuid.uuid4(),
                "user_id": user_id,
                "channel": channel,
                "message_id": message_id,
                "cost": cost,
            },
        )
    store().incrbyfloat(f"naive:cost:{channel}", cost)
