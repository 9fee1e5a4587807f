"""Content: a payload and a person become a message ready for one channel.

`validate_payload` at the door, `render` in the pipeline, `preview` for people who want to see before they send.
"""

from collections.abc import Sequence
from decimal import Decimal

from core.errors import InvalidRequest
from core.steps import in_steps
from core.values import value
from core.vocabulary import Channel
from delivery.channels.gsm7 import SegmentCount, segments
from delivery.content.clean_text import one_line
from delivery.content.making import FILLING, begun, filled, finished
from delivery.content.payload_templates import substitute
from delivery.content.requests import Person, RenderRequest
from delivery.content.stored_templates import BRAND
from delivery.content.validation import validate_all, validate_payload
from delivery.messages import RenderedMessage

__all__ = [
    "BRAND", "Person", "Preview", "RenderRequest", "preview", "render", "render_all", "substitute", "summary",
    "validate_all", "validate_payload",
]  # fmt: skip

LONGEST_SUMMARY = 200
"""UTF-16 units, as an SMS counts them: five summaries fit into one text whatever they hold."""


@value(frozen=True, slots=True, kw_only=True)
class Preview:
    """A message as it would leave, and what it would cost in USD."""

    message: RenderedMessage
    segments: SegmentCount | None
    cost: Decimal


def render(request: RenderRequest) -> RenderedMessage:
    """The message ready for its channel; InvalidRequest and its kinds when it can't be made."""
    return finished(filled(begun(request)))


def render_all(requests: Sequence[RenderRequest]) -> list[RenderedMessage | InvalidRequest]:
    """What `render` makes of each, in order, or raises for it."""
    return in_steps(requests, begun, *FILLING, finished, error=InvalidRequest)


def summary(request: RenderRequest) -> str:
    """What the message says in one line of at most `LONGEST_SUMMARY` units: its subject and its first words."""
    texts = filled(begun(request, ("subject.txt", "preheader.txt"))).texts
    subject, first_words = one_line(texts["subject.txt"]), one_line(texts["preheader.txt"])
    line = f"{subject} - {first_words}" if first_words and first_words not in subject else subject
    units = line.encode("utf-16-le")
    if len(units) <= 2 * LONGEST_SUMMARY:
        return line
    return units[: 2 * (LONGEST_SUMMARY - 3)].decode("utf-16-le", errors="ignore") + "..."


def preview(request: RenderRequest, *, price: Decimal) -> Preview:
    """The rendered message with its segments and its cost at `price` USD per unit."""
    message = render(request)
    return Preview(
        message=message,
        segments=segments(message.body) if request.channel is Channel.SMS else None,
        cost=price * message.units,
    )
