"""Rendering one notification of a loaded batch for one channel."""

from datetime import datetime

from core.settings import settings
from core.vocabulary import Channel
from delivery.content import Person, RenderRequest, render
from delivery.loading import Batch, Work
from delivery.messages import RenderedMessage
from delivery.signed_links import links_for


def render_for(batch: Batch, work: Work, channel: Channel, now: datetime) -> RenderedMessage:
    """The message as it would leave on `channel`; InvalidRequest and its kinds when it can't be made."""
    user = batch.facts.users[work.claimed.user_id]
    return render(
        RenderRequest(
            message_type=work.type,
            channel=channel,
            payload=work.payload,
            person=Person(
                name=batch.name_of(user.user_id), locale=user.locale, time_zone=user.time_zone or "UTC"
            ),
            links=links_for(work.id),
            now=now,
            postal_address=settings().postal_address,
        )
    )
