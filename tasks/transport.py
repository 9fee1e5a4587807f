"""kombu's Redis transport, but one client object per channel: kombu 5.7 makes a new one for each command.

With redis-py 8 making one costs 160 µs (a dictionary of 169 callbacks), a seventh of what it costs to publish an id. To
be dropped when kombu keeps its own.
"""

from typing import Any

from kombu.transport import redis as kombu_redis


class Channel(kombu_redis.Channel):  # type: ignore[misc]  # kombu has no types
    """A channel that keeps its client for commands; the one that waits for messages (`asynchronous`) is kombu's to keep."""

    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()
        return self._kept


class Transport(kombu_redis.Transport):  # type: ignore[misc]  # kombu has no types
    """What `broker_transport` names for `redis://` addresses."""

    Channel = Channel
