"""Content: a payload and a person become a message ready for one channel.

`validate_payload` at the door, `render` in the pipeline, `preview` for people who want to see before they send.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.errors import InvalidRequest
from core.values import value
from core.vocabulary import Channel
from delivery.catalog import MessageType
from delivery.channels import CHANNELS, Draft
from delivery.channels.gsm7 import SegmentCount, segments
from delivery.content.clean_text import one_line
from delivery.content.payload_fields import ATTACHMENTS, check_payload
from delivery.content.payload_templates import parsed, substitute
from delivery.content.requests import Person, RenderRequest
from delivery.content.sandboxed_jinja import Given
from delivery.content.stored_templates import BRAND, latest_version, stored_template
from delivery.content.template_parts import Parts, parts_of
from delivery.content.template_values import LONGEST_NAME, values_of
from delivery.messages import RenderedMessage

__all__ = [
    "BRAND", "Person", "Preview", "RenderRequest", "preview", "render", "substitute", "summary", "validate_payload",
]  # fmt: skip

LONGEST_SUMMARY = 200
"""UTF-16 units, as an SMS counts them: five summaries fit into one text whatever they hold."""
_ANYBODY = Person(name=LONGEST_NAME)
_ANY_TIME = datetime(2025, 1, 1, tzinfo=UTC)


@value(frozen=True, slots=True, kw_only=True)
class Preview:
    """A message as it would leave, and what it would cost in USD."""

    message: RenderedMessage
    segments: SegmentCount | None
    cost: Decimal


def validate_payload(message_type: MessageType, payload: Any) -> None:
    """Nothing, or InvalidRequest, InvalidTemplate or MissingVariable naming the field of the payload and the mend.

    What passes here can be rendered on every channel of the type, for any person.
    """
    root = message_type.payload
    check_payload(root, payload, stored_template(message_type.name, latest_version(message_type.name)).fields)
    texted = message_type.allows(Channel.SMS)
    if not texted and "template" not in payload and "subject" not in payload:
        return
    request = RenderRequest(
        message_type=message_type,
        channel=Channel.SMS if texted else Channel.EMAIL,
        payload=payload,
        person=_ANYBODY,
        now=_ANY_TIME,
        first_of_programme=True,
    )
    parts = parts_of(request, CHANNELS[request.channel].parts)
    values = values_of(request, parts.variables)
    if "template" in payload and not one_line(values["template_text"]):
        raise InvalidRequest(f"{root}.template", "makes an empty text")
    if "subject" in payload and not one_line(_own_subject(request, values)):
        raise InvalidRequest(f"{root}.subject", "makes an empty text")
    if texted:
        _finished(request, parts, values)


def render(request: RenderRequest) -> RenderedMessage:
    """The message ready for its channel; InvalidRequest and its kinds when it can't be made."""
    parts = parts_of(request, CHANNELS[request.channel].parts)
    return _finished(request, parts, values_of(request, parts.variables))


def summary(request: RenderRequest) -> str:
    """What the message says in one line of at most `LONGEST_SUMMARY` units: its subject and its first words."""
    parts = parts_of(request, ("subject.txt", "preheader.txt"))
    texts = _texts(request, parts, values_of(request, parts.variables))
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


def _finished(request: RenderRequest, parts: Parts, values: Given) -> RenderedMessage:
    draft = Draft(
        parts=_texts(request, parts, values),
        template=parts.label,
        language=parts.language,
        links=request.links,
        postal_address=request.postal_address,
        files=request.payload.get(ATTACHMENTS, ()),
        first_of_programme=request.first_of_programme,
    )
    return CHANNELS[request.channel].finish(draft, request.message_type)


def _texts(request: RenderRequest, parts: Parts, values: Given) -> dict[str, str]:
    """The text of each part; the payload's own subject takes the place of the template's."""
    texts = {name: part.render(values) for name, part in parts.by_name}
    if "subject" in request.payload and "subject.txt" in texts:
        texts["subject.txt"] = _own_subject(request, values)
    return texts


def _own_subject(request: RenderRequest, values: Given) -> str:
    root = request.message_type.payload
    return parsed(request.payload["subject"], field=f"{root}.subject").fill(values, root)
