"""Answering what people write to us: handled at once, because only the webhook's own answer can carry our reply."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from xml.sax.saxutils import escape

from starlette.responses import Response

from core.database import DATABASE_AWAY
from core.vocabulary import EventKind
from delivery import inbound
from delivery.messages import DeliveryEvent

log = logging.getLogger(__name__)
AT_ONCE = 4
MOST_WAITING = 40
"""Beyond this the worker handles what is stored, some seconds later and without an answer."""


class Replies:
    """Handles messages of people in threads of its own: a withdrawal may wait some seconds for what is under way."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="replies")
        self._waiting = 0

    async def to(self, events: Sequence[DeliveryEvent]) -> str:
        """The text to answer with; empty for none, and when it can't be handled now: it is stored already."""
        text = ""
        for event in events:
            if event.kind is not EventKind.RECEIVED or self._waiting >= MOST_WAITING:
                continue
            self._waiting += 1
            try:
                text = await asyncio.get_running_loop().run_in_executor(self._threads, inbound.handle, event)
            except DATABASE_AWAY:
                log.warning("reply_left_to_worker", extra={"provider": event.provider})
            finally:
                self._waiting -= 1
        return text

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True)


def twiml(text: str) -> Response:
    """What Twilio does after an inbound message: send `text`, or nothing (twilio.com/docs/messaging/twiml)."""
    message = f"<Message>{escape(text)}</Message>" if text else ""
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>', media_type="text/xml"
    )
