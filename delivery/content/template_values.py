"""What templates may name: the payload's fields, what we know of the person, and words of our own."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.vocabulary import Purpose, Urgency
from delivery.content.clean_text import clean, one_line
from delivery.content.payload_fields import ATTACHMENTS, TEMPLATES
from delivery.content.payload_templates import parsed
from delivery.content.requests import RenderRequest
from delivery.content.sandboxed_jinja import Given
from delivery.content.stored_templates import BRAND, latest_version, stored_template

LONGEST_NAME = "W" * 80
"""What a name may add to a text at most, in UTF-16 units; longer names are cut."""

_NOBODY = "there"
"""Who is greeted when the name is unknown: "Hi there"."""
_OWN_WORK = frozenset({*TEMPLATES, ATTACHMENTS})
"""Fields of a payload that are no variables."""
_LINKS = frozenset({"unsubscribe_url", "preferences_url"})


def values_of(request: RenderRequest, variables: frozenset[str]) -> Given:
    """Declared fields (None when not given), the payload's, the person's, and ours.

    Today and the links are there when `variables` ask for them: the links are signed only then.
    """
    message_type, payload = request.message_type, request.payload
    name = one_line(request.person.name)
    values = Given(_declared(message_type.name))
    values["name"] = name[: len(LONGEST_NAME) if name.isascii() else len(LONGEST_NAME) // 2] or _NOBODY
    for key, given in payload.items():
        if key not in _OWN_WORK:
            values[key] = clean(given) if isinstance(given, str) else _cleaned(given)
    if "first_name" not in payload:
        values["first_name"] = str(values["name"]).partition(" ")[0]
    template = payload.get("template")
    root = message_type.payload
    values["template_text"] = (
        parsed(template, field=f"{root}.template").fill(values, root) if template else ""
    )
    values["brand"] = BRAND
    values["postal_address"] = request.postal_address
    values["is_marketing"] = message_type.purpose is Purpose.MARKETING
    if "subject" in payload or not _LINKS.isdisjoint(variables):
        links = request.links
        critical = message_type.urgency is Urgency.CRITICAL
        values["unsubscribe_url"] = "" if critical else links.get("unsubscribe_url", "")
        values["preferences_url"] = links.get("preferences_url", "")
    if "today" in variables:
        values["today"] = request.now.astimezone(_zone(request.person.time_zone)).date()
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


@lru_cache(maxsize=64)
def _declared(name: str) -> Mapping[str, Any]:
    return dict.fromkeys(stored_template(name, latest_version(name)).fields) | {"currency": "USD"}


@lru_cache(maxsize=1024)
def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
