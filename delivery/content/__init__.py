"""Content: a payload and a person become a message ready for one channel.

`validate_payload` at the door, `render` in the pipeline, `preview` for people who want to see before they send.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import InvalidRequest
from core.values import value
from core.vocabulary import Channel, Purpose, Urgency
from delivery.catalog import MessageType
from delivery.channels import CHANNELS, Draft
from delivery.channels.gsm7 import SegmentCount, segments
from delivery.content.clean_text import clean, one_line
from delivery.content.payload_fields import ATTACHMENTS, PERSON_NAMES, TEMPLATES, check_payload
from delivery.content.payload_templates import parsed, substitute
from delivery.content.sandboxed_jinja import Given, StoredPart
from delivery.content.stored_templates import StoredTemplate, compiled, latest_version, stored_template
from delivery.messages import RenderedMessage

__all__ = [
    "Person", "Preview", "RenderRequest", "preview", "render", "substitute", "summary", "validate_payload",
]  # fmt: skip

BRAND = "MINGUS"
LONGEST_SUMMARY = 200
"""UTF-16 units, as an SMS counts them: five summaries fit into one text whatever they hold."""
_OWN_WORK = frozenset({*TEMPLATES, ATTACHMENTS})
"""Fields of a payload that are no variables."""
_LONGEST_NAME = "W" * 80
"""What a name may add to a text at most, in UTF-16 units; longer names are cut."""
_ANY_TIME = datetime(2025, 1, 1, tzinfo=UTC)
_NOBODY = "there"
"""Who is greeted when the name is unknown: "Hi there"."""


@value(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom the message speaks to; `locale` such as en_US, `time_zone` an IANA name."""

    name: str = ""
    locale: str = "en_US"
    time_zone: str | None = None


@value(frozen=True, slots=True, kw_only=True)
class RenderRequest:
    """Everything that a message is made of: equal requests render to equal bytes.

    `links` may hold unsubscribe_url and preferences_url; `first_of_programme` adds the opt-out footer to the first text
    of any programme; `version` pins the template's version (the newest when None); `stored` is a template row that
    takes the place of the folder's.
    """

    message_type: MessageType
    channel: Channel
    payload: Mapping[str, Any]
    person: Person
    now: datetime
    links: Mapping[str, str] = field(default_factory=dict)
    postal_address: str = ""
    first_of_programme: bool = False
    version: int | None = None
    stored: StoredTemplate | None = None


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
    template = stored_template(message_type.name, latest_version(message_type.name))
    check_payload(root, payload, template.fields)
    for name in TEMPLATES:
        if name in payload:
            values = dict.fromkeys(PERSON_NAMES, _LONGEST_NAME) | payload
            text = parsed(payload[name], field=f"{root}.{name}").fill(values, root)
            if not one_line(text):
                raise InvalidRequest(f"{root}.{name}", "makes an empty text")
    if message_type.allows(Channel.SMS):
        render(
            RenderRequest(
                message_type=message_type,
                channel=Channel.SMS,
                payload=payload,
                person=Person(name=_LONGEST_NAME),
                now=_ANY_TIME,
                first_of_programme=True,
            )
        )


def render(request: RenderRequest) -> RenderedMessage:
    """The message ready for its channel; InvalidRequest and its kinds when it can't be made."""
    channel = CHANNELS[request.channel]
    template, texts = _texts(request, channel.parts)
    draft = Draft(
        parts=texts,
        template=template.label,
        language=template.language,
        links=request.links,
        postal_address=request.postal_address,
        files=request.payload.get(ATTACHMENTS, ()),
        first_of_programme=request.first_of_programme,
    )
    return channel.finish(draft, request.message_type)


def summary(request: RenderRequest) -> str:
    """What the message says in one line of at most `LONGEST_SUMMARY` units: its subject and its first words."""
    _, texts = _texts(request, ("subject.txt", "preheader.txt"))
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


def _texts(request: RenderRequest, names: tuple[str, ...]) -> tuple[StoredTemplate, dict[str, str]]:
    """The template and its parts `names`, filled; the payload's own subject takes the place of the template's."""
    template, parts = _parts(request, names)
    values = _values(request)
    if any("today" in part.variables for _, part in parts):
        values["today"] = request.now.astimezone(_zone(request.person.time_zone)).date()
    given = Given(values)
    texts = {name: part.render(given) for name, part in parts}
    if "subject" in request.payload and "subject.txt" in texts:
        root = request.message_type.payload
        texts["subject.txt"] = parsed(request.payload["subject"], field=f"{root}.subject").fill(values, root)
    return template, texts


def _values(request: RenderRequest) -> dict[str, Any]:
    """What templates may name: declared fields (None when not given), the payload's, the person's, and ours."""
    message_type, person = request.message_type, request.person
    name = one_line(person.name)
    name = name[: len(_LONGEST_NAME) if name.isascii() else len(_LONGEST_NAME) // 2] or _NOBODY
    values: dict[str, Any] = dict(_defaults(message_type.name))
    values["name"] = name
    for key, given in request.payload.items():
        if key not in _OWN_WORK:
            values[key] = clean(given) if isinstance(given, str) else _cleaned(given)
    if "first_name" not in request.payload:
        values["first_name"] = str(values["name"]).partition(" ")[0]
    template = request.payload.get("template")
    values["template_text"] = (
        parsed(template, field=f"{message_type.payload}.template").fill(values, message_type.payload)
        if template
        else ""
    )
    values["brand"] = BRAND
    values["unsubscribe_url"] = (
        "" if message_type.urgency is Urgency.CRITICAL else request.links.get("unsubscribe_url", "")
    )
    values["preferences_url"] = request.links.get("preferences_url", "")
    values["postal_address"] = request.postal_address
    values["is_marketing"] = message_type.purpose is Purpose.MARKETING
    return values


def _cleaned(value: Any) -> Any:
    """The same with every text of its lists and tables clean."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _cleaned(item) for key, item in value.items()}
    return value


def _parts(
    request: RenderRequest, names: tuple[str, ...]
) -> tuple[StoredTemplate, tuple[tuple[str, StoredPart], ...]]:
    locale = request.person.locale
    if request.stored is not None:
        row = request.stored
        return row, tuple((name, compiled(row, name, locale)) for name in names)
    version = request.version or latest_version(request.message_type.name)
    return _folder_parts(request.message_type.name, version, names, locale)


@lru_cache(maxsize=512)
def _folder_parts(
    name: str, version: int, names: tuple[str, ...], locale: str
) -> tuple[StoredTemplate, tuple[tuple[str, StoredPart], ...]]:
    language = locale.replace("-", "_").partition("_")[0].lower()
    template = stored_template(name, version, language if language.isalpha() else "en")
    return template, tuple((part, compiled(template, part, locale)) for part in names)


@lru_cache(maxsize=64)
def _defaults(name: str) -> Mapping[str, None]:
    return dict.fromkeys(stored_template(name, latest_version(name)).fields) | {"currency": "USD"}


@lru_cache(maxsize=1024)
def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
