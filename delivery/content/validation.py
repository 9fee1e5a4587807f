"""The door: what passes here can be rendered on every channel of its type, for any person."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from core.errors import InvalidRequest
from core.steps import in_steps
from core.vocabulary import Channel
from delivery.catalog import MessageType
from delivery.content.clean_text import one_line
from delivery.content.making import Making, begun, filled, finished, own_subject
from delivery.content.payload_fields import check_payload
from delivery.content.requests import Person, RenderRequest
from delivery.content.stored_templates import latest_version, stored_template
from delivery.content.template_values import LONGEST_NAME

Asked = tuple[MessageType, Any]
"""A type and the payload that is given for it."""

_ANYBODY = Person(name=LONGEST_NAME)
_ANY_TIME = datetime(2025, 1, 1, tzinfo=UTC)


def validate_payload(message_type: MessageType, payload: Any) -> None:
    """Nothing, or InvalidRequest, InvalidTemplate or MissingVariable naming the field of the payload and the mend."""
    (problem,) = validate_all([(message_type, payload)])
    if problem is not None:
        raise problem


def validate_all(asked: Sequence[Asked | InvalidRequest]) -> list[InvalidRequest | None]:
    """What `validate_payload` raises for each, in order, None where nothing is wrong; a problem known before stays."""
    made = in_steps(asked, _checked, _begun_for_anybody, _filled, _sendable, error=InvalidRequest)
    return [each if isinstance(each, InvalidRequest) else None for each in made]


def _checked(asked: Asked) -> Asked:
    row, payload = asked
    check_payload(row.payload, payload, stored_template(row.name, latest_version(row.name)).fields)
    return asked


def _begun_for_anybody(asked: Asked) -> Making | None:
    """With the payload's own words looked at. None where that is all: a mail's template was tried when it was stored."""
    row, payload = asked
    texted = row.allows(Channel.SMS)
    if not texted and "template" not in payload and "subject" not in payload:
        return None
    making = begun(
        RenderRequest(
            message_type=row,
            channel=Channel.SMS if texted else Channel.EMAIL,
            payload=payload,
            person=_ANYBODY,
            now=_ANY_TIME,
            first_of_programme=True,
        )
    )
    if "template" in payload and not one_line(making.values["template_text"]):
        raise InvalidRequest(f"{row.payload}.template", "makes an empty text")
    if "subject" in payload and not one_line(own_subject(making)):
        raise InvalidRequest(f"{row.payload}.subject", "makes an empty text")
    return making if texted else None


def _filled(making: Making | None) -> Making | None:
    return making and filled(making)


def _sendable(making: Making | None) -> None:
    """A text must not be too long; a mail may."""
    if making is not None:
        finished(making)
