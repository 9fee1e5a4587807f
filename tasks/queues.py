"""The lanes as Celery queues, most urgent first, and the one queue of our own housekeeping."""

from kombu import Exchange, Queue

from core.vocabulary import Lane

HOUSEKEEPING = "housekeeping"
"""Carries the relay's heartbeats and the processing of callbacks; never a message to a person."""

_EXCHANGE = Exchange("mingus", type="direct")

QUEUES = tuple(Queue(name, _EXCHANGE, routing_key=name) for name in (*Lane, HOUSEKEEPING))


def wants_housekeeping(queue_names: set[str]) -> bool:
    """True for a worker that should do the housekeeping too: all but those kept free for critical alerts."""
    return HOUSEKEEPING not in queue_names and queue_names != {Lane.SMS_CRITICAL}
