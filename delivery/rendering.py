"""Rendering notifications of a loaded batch, each for one channel."""

from collections.abc import Iterable
from datetime import datetime

from core.errors import InvalidRequest
from core.settings import settings
from core.vocabulary import Channel
from delivery.content import Person, RenderRequest, render, render_all, summary
from delivery.loading import Batch, Work
from delivery.messages import RenderedMessage
from delivery.signed_links import links_for


def render_for(batch: Batch, work: Work, channel: Channel, now: datetime) -> RenderedMessage:
    """The message as it would leave on `channel`; InvalidRequest and its kinds when it can't be made."""
    return render(_request(batch, work, channel, now))


def render_all_for(
    batch: Batch, ways: Iterable[tuple[Work, Channel]], now: datetime
) -> list[RenderedMessage | InvalidRequest]:
    """What `render_for` makes of each, in order, or raises for it."""
    return render_all([_request(batch, work, channel, now) for work, channel in ways])


def summary_for(batch: Batch, work: Work, channel: Channel, now: datetime) -> str:
    """The message in one line; InvalidRequest and its kinds when it can't be made."""
    return summary(_request(batch, work, channel, now))


def _request(batch: Batch, work: Work, channel: Channel, now: datetime) -> RenderRequest:
    user = batch.facts.users[work.claimed.user_id]
    return RenderRequest(
        message_type=work.type,
        channel=channel,
        payload=work.payload,
        person=Person(
            name=batch.name_of(user.user_id), locale=user.locale, time_zone=user.time_zone or "UTC"
        ),
        links=links_for(work.id),
        now=now,
        postal_address=settings().postal_address,
        first_of_programme=(user.user_id, work.type.name) not in batch.texted,
    )
