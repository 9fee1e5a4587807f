"""Which (channel, provider) may be tried for a notification, in order: provider before channel."""

from collections.abc import Mapping, Sequence

from core.values import value
from core.vocabulary import Channel
from delivery.catalog import MessageType
from delivery.health import Health
from delivery.loading import PastAttempt


@value(frozen=True, slots=True)
class Route:
    """A way to reach somebody."""

    channel: Channel
    provider: str


def open_channels(row: MessageType, past: Sequence[PastAttempt]) -> list[Channel]:
    """The type's channels that no earlier attempt has ruled out, in its order."""
    closed = {attempt.channel for attempt in past if attempt.closes == "channel"}
    return [channel for channel in row.channels if channel not in closed]


def open_routes(
    channel: Channel, providers: Mapping[Channel, Sequence[str]], past: Sequence[PastAttempt]
) -> list[Route]:
    """The routes of `channel` that no earlier attempt has ruled out, in the configured order."""
    closed = {
        (attempt.channel, attempt.provider) for attempt in past if attempt.closes in {"route", "channel"}
    }
    return [Route(channel, name) for name in providers.get(channel, ()) if (channel, name) not in closed]


def healthy(routes: Sequence[Route], health: Mapping[str, Health]) -> Route | None:
    """The first route whose provider is not known to be down; None when all are."""
    return next((route for route in routes if health.get(route.provider, Health.UP) is not Health.DOWN), None)
