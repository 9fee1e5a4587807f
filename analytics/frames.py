"""The shapes of the frames that statistics take: which columns, of which kind, and the check that names what is wrong.

Frames come from SQL (Arrow types) or are built in tests (pandas 3 `str`, `datetime64[us, UTC]`); both pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pandas as pd
from pandas.api import types as dtypes

from core.errors import InvalidRequest
from core.vocabulary import EventKind


class InvalidFrame(InvalidRequest):
    """A frame lacks a column or holds a column of the wrong kind; `field` names the column, the text the mend."""


class UserWithoutZone(InvalidRequest):
    """A person whose IANA time zone is unknown was asked for local time; store a zone or name a default."""


class FutureWindow(InvalidRequest):
    """A window ends after `now`: nothing can be known about it yet."""


class Kind(StrEnum):
    """What a column holds."""

    KEY = "key"  # an id of any type, compared and never computed with
    TEXT = "text"
    INSTANT = "instant"  # datetime64 with zone UTC
    FLAG = "flag"
    WHOLE = "whole"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a schema: its kind, whether nulls may stand in it and, for words, which are known."""

    kind: Kind
    nullable: bool = False
    allowed: frozenset[str] | None = None


Schema = Mapping[str, Column]


def _schema(**columns: Column) -> Schema:
    return MappingProxyType(columns)


KEY, TEXT, INSTANT = Column(Kind.KEY), Column(Kind.TEXT), Column(Kind.INSTANT)
FLAG, WHOLE, NUMBER = Column(Kind.FLAG), Column(Kind.WHOLE), Column(Kind.NUMBER)

ANALYSED_EVENTS = frozenset(
    str(kind)
    for kind in EventKind
    if kind not in {EventKind.QUEUED, EventKind.DEFERRED, EventKind.RECEIVED, EventKind.UNRECOGNISED}
)

EVENTS = _schema(
    notification_id=KEY,
    user_id=KEY,
    channel=TEXT,
    provider=TEXT,
    message_type=TEXT,
    event=Column(Kind.TEXT, allowed=ANALYSED_EVENTS),
    at=INSTANT,
    is_machine=FLAG,
    domain_or_carrier=Column(Kind.TEXT, nullable=True),
    error_code=Column(Kind.TEXT, nullable=True),
)
"""One row per thing that happened to a notification; `domain_or_carrier` of the address, never the address."""

USERS = _schema(user_id=KEY, time_zone=Column(Kind.TEXT, nullable=True), joined_at=INSTANT)
"""One row per person; `time_zone` is an IANA name."""

USER_DAYS = _schema(user_id=KEY, channel=TEXT, day=INSTANT, sent=WHOLE, engaged=WHOLE, negative=WHOLE)
"""The `user_day` fact: notifications sent, engaged with by a human, and answered by a complaint or an unsubscription."""

PERSON_HOURS = _schema(user_id=KEY, at=INSTANT, weight=NUMBER)
"""Activity for the send time: click, reply, session, purchase weigh 1, a human open 0.5."""

DEAD_LETTERS = _schema(
    provider=TEXT,
    error_class=TEXT,
    error_code=Column(Kind.TEXT, nullable=True),
    domain_or_carrier=Column(Kind.TEXT, nullable=True),
    template=Column(Kind.TEXT, nullable=True),
)
"""One row per notification that ended as a dead letter; `domain_or_carrier` may also be a country."""

_FITS: Mapping[Kind, Callable[[Any], bool]] = {
    Kind.TEXT: lambda column: dtypes.is_string_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype),
    Kind.FLAG: dtypes.is_bool_dtype,
    Kind.WHOLE: dtypes.is_integer_dtype,
    Kind.NUMBER: lambda column: dtypes.is_numeric_dtype(column) and not dtypes.is_bool_dtype(column),
}
_MEND = {
    Kind.TEXT: "give text (pandas `str`)",
    Kind.FLAG: "give booleans without nulls",
    Kind.WHOLE: "give whole numbers without nulls",
    Kind.NUMBER: "give numbers",
    Kind.INSTANT: "give datetimes with zone UTC, e.g. pd.to_datetime(column, utc=True)",
}


def require_columns(frame: pd.DataFrame, schema: Schema) -> None:
    """Passes when every column of `schema` is there and of its kind; InvalidFrame names the first that is not.

    Columns beyond the schema are allowed; an empty frame needs the columns too, so that emptiness is explicit.
    """
    for name, wanted in schema.items():
        if name not in frame.columns:
            raise InvalidFrame(
                name, f"the frame has no such column, it has {sorted(map(str, frame.columns))}"
            )
        column = frame[name]
        if len(frame) == 0 and column.dtype == object:
            continue  # pd.DataFrame(columns=[...]) knows no kinds, and there is nothing to be wrong
        if not _is_of_kind(column, wanted.kind):
            raise InvalidFrame(name, f"holds {column.dtype}: {_MEND[wanted.kind]}")
        if not wanted.nullable and bool(column.isna().any()):
            raise InvalidFrame(name, f"{int(column.isna().sum())} rows are empty: fill or drop them")
        if wanted.allowed is not None:
            unknown = sorted(set(column.dropna().unique()) - wanted.allowed)
            if unknown:
                raise InvalidFrame(name, f"unknown {unknown[:5]}, known are {sorted(wanted.allowed)}")


def _is_of_kind(column: "pd.Series[Any]", kind: Kind) -> bool:
    if kind is Kind.KEY:
        return True
    if kind is Kind.INSTANT:
        return bool(dtypes.is_datetime64_any_dtype(column)) and str(column.dt.tz) == "UTC"
    return _FITS[kind](column)


def require_past_window(start: datetime, end: datetime, now: datetime) -> None:
    """Passes for a half-open UTC window [start, end) that lies in the past of `now`; else a typed error."""
    for name, at in (("start", start), ("end", end), ("now", now)):
        if at.tzinfo is None:
            raise InvalidRequest(name, "a time without a zone: give an aware datetime")
    if end <= start:
        raise InvalidRequest("end", f"{end.isoformat()} is not after start {start.isoformat()}")
    if end > now:
        raise FutureWindow(
            "end", f"{end.isoformat()} is in the future (now is {now.isoformat()}): wait or move it"
        )


def in_window(frame: pd.DataFrame, start: datetime, end: datetime) -> pd.DataFrame:
    """The rows with start <= at < end; empty when there are none, which is a result and not a zero."""
    if len(frame) == 0:
        return frame
    return frame[(frame["at"] >= start) & (frame["at"] < end)]
