"""The clock, read only at the edges; everything inside takes `now` as an argument."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def as_utc(at: datetime) -> datetime:
    """The same instant in UTC; ValueError for a naive time, because a guess about its zone would be a lie."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone: give an aware datetime")
    return at.astimezone(UTC)
