"""A message in the making: its values gathered, its parts filled one by one, finished by its channel."""

from functools import partial

from core.steps import Step
from core.values import value
from delivery.channels import CHANNELS, Draft
from delivery.content.payload_fields import ATTACHMENTS
from delivery.content.payload_templates import parsed
from delivery.content.requests import RenderRequest
from delivery.content.sandboxed_jinja import Given
from delivery.content.template_parts import Parts, parts_of
from delivery.content.template_values import values_of
from delivery.messages import RenderedMessage


@value(slots=True)
class Making:
    """A message on its way: what its parts are filled with, and the texts of those that are."""

    request: RenderRequest
    parts: Parts
    values: Given
    texts: dict[str, str]


def begun(request: RenderRequest, names: tuple[str, ...] = ()) -> Making:
    """The message with its values; `names` are its parts when they are not those of its channel."""
    parts = parts_of(request, names or CHANNELS[request.channel].parts)
    return Making(request, parts, values_of(request, parts.variables), {})


def filled(making: Making) -> Making:
    """With the text of every part."""
    for fill in FILLING:
        fill(making)
    return making


def finished(making: Making) -> RenderedMessage:
    """As the channel sends it."""
    request, parts = making.request, making.parts
    draft = Draft(
        parts=making.texts,
        template=parts.label,
        language=parts.language,
        links=request.links,
        postal_address=request.postal_address,
        files=request.payload.get(ATTACHMENTS, ()),
        first_of_programme=request.first_of_programme,
    )
    return CHANNELS[request.channel].finish(draft, request.message_type)


def own_subject(making: Making) -> str:
    """The payload's own subject, filled."""
    root = making.request.message_type.payload
    return parsed(making.request.payload["subject"], field=f"{root}.subject").fill(making.values, root)


def _fill(place: int, making: Making) -> Making:
    """The text of one part, if there are so many; the payload's own subject takes the place of the template's."""
    if place < len(making.parts.by_name):
        name, part = making.parts.by_name[place]
        is_own = name == "subject.txt" and "subject" in making.request.payload
        making.texts[name] = own_subject(making) if is_own else part.render(making.values)
    return making


FILLING: tuple[Step, ...] = tuple(
    partial(_fill, place) for place in range(max(len(each.parts) for each in CHANNELS.values()))
)
"""One step for each part: a batch goes through one template's code after the other."""
