"""The base of the eight tasks: `.delay()` inserts before it publishes, and only the id travels.

send_x.delay(user_id=…, alert_data=…)
  ├─ accept: validated, deduplicated, committed (a clear typed error here, or it is durable)
  ├─ publish the notification's id on its lane (Redis away, or a bulk lane full: the relay does it later)
  └─ worker: deliver([id]) → True when handed over or safely waiting, False when it will not be sent
"""

import inspect
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from celery import Task
from celery.result import AsyncResult
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from core.clock import utc_now
from core.crash_points import crash_point
from core.errors import InvalidRequest
from delivery.catalog import MessageType, message_type
from delivery.intake import Accepted, Request, accept
from tasks.delivering import deliver_one
from tasks.room import is_full

log = logging.getLogger(__name__)

BROKER_AWAY = (OperationalError, RedisError, OSError, RuntimeError)
"""What an absent broker or result store raises; RuntimeError is how Celery says that it has given up on the results."""
RELAY_LEAVES_SECONDS = 15.0
"""How long the relay leaves a fresh live alert to its own queue message."""


class NotificationTask(Task):  # type: ignore[misc]
    """A Celery task that sends one message type; see the module's picture."""

    abstract = True
    typing = False  # the caller's arguments are checked by `accept`; the worker gets an id
    ignore_result = False
    message_type_name = ""

    @property
    def row(self) -> MessageType:
        """The message type that this task sends."""
        return message_type(self.message_type_name)

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AsyncResult:
        """Accept, then publish the id; `countdown`, `eta` and `expires` become columns, never Celery ETAs."""
        left_to_relay = is_full(self.row.lane)
        accepted, due = self._accept(
            args or (), kwargs or {}, options, relay_after=0.0 if left_to_relay else RELAY_LEAVES_SECONDS
        )
        task_id = str(accepted.notification_id)
        result = self.AsyncResult(task_id)
        crash_point("before_publish")
        try:
            if left_to_relay or due > utc_now():
                self.backend.store_result(task_id, True, "SUCCESS")
            else:
                super().apply_async(
                    kwargs={"notification_id": task_id},
                    task_id=task_id,
                    queue=self.row.lane,
                    argsrepr="()",
                    kwargsrepr=f"{{'notification_id': '{task_id}'}}",  # what Celery would find out by looking
                    **_passed_on(options),
                )
        except BROKER_AWAY:
            log.warning("broker_away", extra={"notification": task_id})
        return result

    def send_now(self, user_id: str, payload: Mapping[str, Any]) -> bool:
        """Accept and deliver in this process: what a plain call of the task does."""
        request = Request(
            user_id=user_id,
            message_type=self.message_type_name,
            payload=payload,
            idempotency_key=_key_in(payload),
        )
        return deliver_one(accept(request, relay_after=RELAY_LEAVES_SECONDS).notification_id)

    def __call__(self, *args: Any, **kwargs: Any) -> bool:
        """In a worker: deliver the id that the message carries; called plainly: accept and deliver here."""
        notification_id = kwargs.get("notification_id")
        if notification_id is not None:
            return deliver_one(UUID(notification_id))
        return bool(self.run(*args, **kwargs))

    def _accept(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], options: dict[str, Any], *, relay_after: float
    ) -> tuple[Accepted, datetime]:
        user_id, payload = self._arguments(args, kwargs)
        now = utc_now()
        due = _instant("eta", options.pop("eta", None), now) or now
        if (countdown := options.pop("countdown", None)) is not None:
            due = _instant("countdown", countdown, now) or now
        key = options.pop("idempotency_key", None)
        request = Request(
            user_id=user_id,
            message_type=self.message_type_name,
            payload=payload,
            idempotency_key=_key_in(payload) if key is None else key,
            deliver_after=due if due > now else None,
            expires_at=_instant("expires", options.pop("expires", None), now),
        )
        return accept(request, relay_after=relay_after, now=now), due

    @cached_property
    def _signature(self) -> inspect.Signature:
        """The arguments that callers give: looked up once, it is a twentieth of what a call costs them."""
        return inspect.signature(self.run)

    def _arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
        try:
            bound = self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise InvalidRequest("arguments", f"{self.name}(user_id, {self.row.payload}): {error}") from None
        return bound["user_id"], bound[self.row.payload]


def _key_in(payload: Any) -> Any:
    return payload.get("idempotency_key") if isinstance(payload, Mapping) else None


_PASSED_ON = ("headers", "producer", "connection", "link", "link_error", "reply_to")


def _passed_on(options: Mapping[str, Any]) -> dict[str, Any]:
    """What of Celery's options still makes sense: the queue, the id and all waiting are ours."""
    return {name: options[name] for name in _PASSED_ON if name in options}


def _instant(field: str, value: Any, now: datetime) -> datetime | None:
    match value:
        case None:
            return None
        case datetime() if value.tzinfo is not None:
            return value
        case timedelta():
            return now + value
        case int() | float() if not isinstance(value, bool):
            return now + timedelta(seconds=value)
    raise InvalidRequest(field, "must be seconds, a timedelta or an aware datetime")
