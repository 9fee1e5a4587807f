"""Time-ordered ids (UUID version 7, RFC 9562), so that new rows stand together in their index."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A fresh id that sorts by its time of creation."""
    return uuid7()


__all__ = ["UUID", "new_id"]
