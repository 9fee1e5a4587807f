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
    if not past:
        return list(row.channels)
    closed = {attempt.channel for attempt in past if attempt.closes == "channel"}
    return [channel for channel in row.channels if channel not in closed]


def all_routes(providers: Mapping[Channel, Sequence[str]]) -> dict[Channel, list[Route]]:
    """Each channel's routes, in the configured order."""
    return {channel: [Route(channel, name) for name in names] for channel, names in providers.items()}


def open_routes(routes: Sequence[Route], past: Sequence[PastAttempt]) -> Sequence[Route]:
    """Those of `routes` that no earlier attempt has ruled out."""
    if not past:
        return routes
    closed = {
        Route(attempt.channel, attempt.provider) for attempt in past if attempt.closes in {"route", "channel"}
    }
    return [route for route in routes if route not in closed]


def healthy(routes: Sequence[Route], health: Mapping[str, Health]) -> Route | None:
    """The first route whose provider is not known to be down; None when all are."""
    for route in routes:
        if health.get(route.provider) is not Health.DOWN:
            return route
    return None
