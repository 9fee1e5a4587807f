"""What a payload may hold: checked at `.delay()`, so that a mistake reaches its caller and never a worker.

A payload is a mapping of names to texts, numbers, yes/no or dates; lists and tables only where the type's `fields.toml`
declares them. It gives either a `template` or the fields that its type needs.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from core.errors import InvalidRequest, MissingVariable
from delivery.content.attachments import attachments_of
from delivery.content.clean_text import header_value, refuse_broken
from delivery.content.payload_templates import parsed, text_of
from delivery.content.safe_links import link
from delivery.content.stored_templates import Field

LARGEST_PAYLOAD = 64 * 1024
"""Bytes of a payload as JSON, attachments aside."""
LONGEST_LIST = 200
TEMPLATES = ("template", "subject")
"""Fields that are payload templates themselves."""
ATTACHMENTS = "attachments"
PERSON_NAMES = ("name", "first_name")
"""Variables that the person gives when the payload does not."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_MONEY = re.compile(r"[-+]?\$?\d{1,3}(,\d{3})*(\.\d+)?|[-+]?\$?\d{1,15}(\.\d+)?")
_NUMBER = re.compile(r"[-+]?\d{1,15}(\.\d+)?")


def check_payload(root: str, payload: Any, fields: Mapping[str, Field]) -> None:
    """InvalidRequest, InvalidTemplate or MissingVariable naming `root.field`, or nothing."""
    if not isinstance(payload, Mapping):
        raise InvalidRequest(root, f"must be an object of names and values, not {type(payload).__name__}")
    variables: list[str] = []
    pictured: list[str] = []
    for name, value in payload.items():
        place = f"{root}.{name}"
        declared = fields.get(name)
        if declared is not None:
            _KINDS[declared.kind](value, place, declared)
            if "content_id" in declared.columns:
                pictured.append(name)
        elif name in TEMPLATES:
            variables += parsed(value, field=place).names
        elif name == ATTACHMENTS:
            attachments_of(value, place)
        elif isinstance(name, str) and _NAME.fullmatch(name):
            _plain(value, place, None)
        else:
            raise InvalidRequest(
                root, f"the name {str(name)[:40]!r} is not allowed: letters, digits and _ only"
            )
    _check_size(root, payload)
    if pictured:
        _check_images(root, payload, pictured)
    if "subject" in payload:
        header_value(f"{root}.subject", payload["subject"])
    if "template" not in payload:
        for name, declared in fields.items():
            if declared.needed and name not in payload:
                raise InvalidRequest(f"{root}.{name}", "is needed: give it, or a template of your own")
    for name in variables:
        if name not in payload and name not in PERSON_NAMES:
            raise MissingVariable(f"{root}.{name}", "is named by the template but not given")


def _check_size(root: str, payload: Mapping[str, Any]) -> None:
    counted = dict(payload)
    counted.pop(ATTACHMENTS, None)
    try:
        size = len(orjson.dumps(counted, default=str))
    except (TypeError, orjson.JSONEncodeError):
        raise InvalidRequest(
            root, "can't be written as JSON: give texts, numbers, yes/no and dates"
        ) from None
    if size > LARGEST_PAYLOAD:
        raise InvalidRequest(root, f"has {size} bytes as JSON; at most {LARGEST_PAYLOAD} are taken")


def _check_images(root: str, payload: Mapping[str, Any], tables: Sequence[str]) -> None:
    """An image that is shown by one of the tables must be attached."""
    attached = {item.get("content_id") for item in payload.get(ATTACHMENTS, ())}
    for name in tables:
        for number, row in enumerate(payload[name]):
            if row["content_id"] not in attached:
                raise InvalidRequest(
                    f"{root}.{name}[{number}].content_id", "no attachment has this content_id"
                )


def _plain(value: Any, place: str, _declared: Field | None) -> None:
    if isinstance(value, str):
        refuse_broken(place, value)
    else:
        text_of(value, place)


def _text(value: Any, place: str, _declared: Field | None) -> None:
    _plain(value, place, None)
    if isinstance(value, str) and not value.strip():
        raise InvalidRequest(place, "is empty")


def _money(value: Any, place: str, _declared: Field | None) -> None:
    _numeric(value, place, _MONEY, "must be an amount such as 1200.00")


def _number(value: Any, place: str, _declared: Field | None) -> None:
    _numeric(value, place, _NUMBER, "must be a number")


def _numeric(value: Any, place: str, pattern: re.Pattern[str], problem: str) -> None:
    if isinstance(value, str):
        if not pattern.fullmatch(value.strip()):
            raise InvalidRequest(place, problem)
    elif isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise InvalidRequest(place, f"{problem}, not {type(value).__name__}")
    else:
        text_of(value, place)


def _day(value: Any, place: str, _declared: Field | None) -> None:
    if not isinstance(value, str) and type(value) is not date:
        raise InvalidRequest(place, f"must be a date such as 2025-02-01, not {type(value).__name__}")
    _text(value, place, None)


def _currency(value: Any, place: str, _declared: Field | None) -> None:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        raise InvalidRequest(place, "must be a currency code such as USD (ISO 4217)")


def _url(value: Any, place: str, _declared: Field | None) -> None:
    if not isinstance(value, str):
        raise InvalidRequest(place, f"must be a link, not {type(value).__name__}")
    link(place, value)


def _list(value: Any, place: str, _declared: Field | None) -> None:
    for number, item in enumerate(_items(value, place)):
        _plain(item, f"{place}[{number}]", None)


def _table(value: Any, place: str, declared: Field | None) -> None:
    columns = declared.columns if declared else ()
    for number, row in enumerate(_items(value, place)):
        if not isinstance(row, Mapping) or any(column not in row for column in columns):
            raise InvalidRequest(f"{place}[{number}]", f"must be an object with {', '.join(columns)}")
        for name, item in row.items():
            _plain(item, f"{place}[{number}].{name}", None)


def _items(value: Any, place: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise InvalidRequest(place, f"must be a list, not {type(value).__name__}")
    if len(value) > LONGEST_LIST:
        raise InvalidRequest(place, f"has {len(value)} items; at most {LONGEST_LIST} are taken")
    return value


_KINDS: Mapping[str, Callable[[Any, str, Field | None], None]] = {
    "plain": _plain,
    "text": _text,
    "money": _money,
    "number": _number,
    "day": _day,
    "currency": _currency,
    "url": _url,
    "list": _list,
    "table": _table,
}
